"""HTTP/2 heads that would be others in HTTP/1 (TRAPS 20, 21)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.errors import Refused
from gateway.fields import Field
from gateway.http2_library import check_lawful
from gateway.http2_message import read_request, read_response
from tests.gateway.http2_agent import agent
from tests.gateway.rig import Rig

MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("method with a blank", [(":method", "GET /y"), (":scheme", "https"), (":authority", "up.test"), (":path", "/a")]),
        ("path with a blank", [(":method", "GET"), (":scheme", "https"), (":authority", "up.test"), (":path", "/a b")]),
        ("path without a slash", [(":method", "GET"), (":scheme", "https"), (":authority", "up.test"), (":path", "a")]),
        ("absolute path", [(":method", "GET"), (":scheme", "https"), (":authority", "up.test"), (":path", "https://other.test/")]),
        ("path with CR LF", [(":method", "GET"), (":scheme", "https"), (":authority", "up.test"), (":path", "/a\r\nX: y")]),
        ("asterisk", [(":method", "OPTIONS"), (":scheme", "https"), (":authority", "up.test"), (":path", "*")]),
        ("another scheme", [(":method", "GET"), (":scheme", "http"), (":authority", "up.test"), (":path", "/a")]),
        ("connect", [(":method", "CONNECT"), (":scheme", "https"), (":authority", "up.test"), (":path", "/a")]),
        ("method in lower case", [(":method", "delete"), (":scheme", "https"), (":authority", "up.test"), (":path", "/a")]),
        (
            "length with an underscore",
            [(":method", "GET"), (":scheme", "https"), (":authority", "up.test"), (":path", "/a"), ("content_length", "5")],
        ),
        ("two hosts", [(":method", "GET"), (":scheme", "https"), (":authority", "up.test"), (":path", "/a"), ("host", "b.test")]),
    ],
)
async def test_a_head_that_would_be_another_in_http_1_is_refused(rig: Rig, name: str, fields: list[tuple[str, str]]) -> None:
    made = await agent(rig)
    number = await made.raw(fields)
    try:
        await made.until(lambda: number in made.ended or number in made.resets or made.terminated is not None)
        if number in made.ended:
            assert (await made.code(number))[1] in {"malformed", "misdirected"}
    except AssertionError:
        assert made.reader.at_eof()
    assert rig.log.requests == []
    assert all(effect == "error" for effect, _ in rig.ledger.decided())


async def test_another_authority_than_the_tunnels_is_refused(rig: Rig) -> None:
    made = await agent(rig)
    number = await made.raw([(":method", "GET"), (":scheme", "https"), (":authority", "other.test"), (":path", "/a")])
    assert await made.code(number) == (421, "misdirected")
    assert rig.log.requests == []


async def test_cookie_crumbs_arrive_as_one_field(rig: Rig) -> None:
    made = await agent(rig)
    fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "up.test"),
        (":path", "/a"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ]
    assert (await made.answer(await made.raw(fields)))[0] == 200
    assert rig.log.requests[0].headers["cookie"] == "a=1; b=2"


PIECES = st.one_of(
    st.sampled_from(
        [
            (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"up.test"), (b":path", b"/a"), (b"host", b"up.test"),
            (b":status", b"200"), (b"te", b"trailers"), (b"te", b"gzip"), (b"upgrade", b"h2c"), (b"connection", b"close"),
            (b"accept", b"*/*"), (b"trailer", b"x"), (b"x", b" y"), (b"x", b"y\t"), (b"X", b"y"), (b":x", b"y"), (b"x:", b"y"),
        ]
    ),
    st.tuples(st.sampled_from([b":authority", b":path", b":method", b"host", b"content-length", b"x", b""]), st.binary(max_size=4)),
)  # fmt: skip


def _takes(reader: Callable[[], object]) -> bool:
    try:
        reader()
    except Refused:
        return False
    return True


REQUEST = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"up.test"), (b":path", b"/a")]


@given(st.lists(PIECES, max_size=4), st.lists(st.sampled_from(REQUEST), unique=True), st.booleans())
def test_a_request_that_is_taken_is_one_that_the_library_takes(more: list[Field], some: list[Field], whole: bool) -> None:
    fields = (REQUEST if whole else some) + more
    if _takes(lambda: read_request(fields, target=("up.test", 443), ended=True)):
        check_lawful(fields)


@given(st.lists(PIECES, max_size=4), st.booleans())
def test_an_answer_that_is_taken_is_one_that_the_library_takes(more: list[Field], whole: bool) -> None:
    fields = [(b":status", b"200")] * whole + more
    if _takes(lambda: read_response(fields, method=b"GET", ended=True)):
        check_lawful(fields, response=True)
