"""What the library lets pass by itself: each of these fails on `H2Connection` (CVE-2016-6581 for the table)."""

import pytest
from h2 import events
from h2.exceptions import FrameTooLargeError

from gateway.http2_library import HEADER_TABLE, Connection
from tests.attacks.frames import GOAWAY, HEADERS, PREFACE, SETTINGS, block, frame


def server() -> Connection:
    made = Connection(client_side=False)
    made.initiate_connection()
    made.receive_data(PREFACE + frame(SETTINGS, 0, 0, b""))
    return made


def test_a_frame_that_says_it_is_huge_is_refused_before_it_has_come() -> None:
    with pytest.raises(FrameTooLargeError):
        server().receive_data(frame(HEADERS, 4, 1, b"", length=16385))


def test_a_frame_of_the_size_agreed_on_is_waited_for() -> None:
    assert server().receive_data(frame(HEADERS, 4, 1, b"", length=16384)) == []


def test_the_table_of_what_was_sent_is_not_as_large_as_the_peer_likes() -> None:
    made = server()
    made.receive_data(frame(SETTINGS, 0, 0, b"\0\1\xff\xff\xff\xff"))
    assert made.encoder.header_table_size == HEADER_TABLE


def test_after_a_goodbye_without_an_error_the_answers_under_way_still_come() -> None:
    made = Connection(client_side=True)
    made.initiate_connection()
    made.send_headers(1, [(":method", "GET"), (":scheme", "https"), (":authority", "up.test"), (":path", "/")], end_stream=True)
    goodbye = frame(GOAWAY, 0, 0, b"\0\0\0\1" + bytes(4))
    found = made.receive_data(frame(SETTINGS, 0, 0, b"") + goodbye + frame(HEADERS, 5, 1, block([(":status", "200")])))
    kinds = [type(one) for one in found]
    assert kinds.index(events.ConnectionTerminated) < kinds.index(events.ResponseReceived)
