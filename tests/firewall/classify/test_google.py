from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build
from googleapiclient.http import HttpRequest

from firewall.action import Classified, Kind
from firewall.classify import classify
from firewall.classify.google import Google
from firewall.classify.meaning import Subject
from firewall.request import Request, parse
from tests.catalogs.shipped import shipped

OVERRIDE = (b"X-HTTP-Method-Override", b"GET")
FORM = (b"Content-Type", b"application/x-www-form-urlencoded")


def post(
    *headers: tuple[bytes, bytes], host: str = "www.googleapis.com", target: bytes = b"/drive/v3/files", body: bytes = b"q=a"
) -> Request:
    return parse(method="POST", scheme="https", host=host, port=443, target=target, headers=headers, body=body)


def classified(request: Request) -> Classified:
    return classify(request, shipped(("google",)))


def test_a_get_that_is_too_long_is_sent_by_googles_client_as_a_post_and_is_still_a_read() -> None:
    sent: list[Request] = []

    class Wire:
        def request(self, uri: str, method: str, body: bytes | str | None, headers: dict[str, str], **_: Any) -> Any:
            url = urlsplit(uri)
            fields = [(name.encode(), str(value).encode()) for name, value in headers.items()]
            target = (url.path + (f"?{url.query}" if url.query else "")).encode()
            data = body.encode() if isinstance(body, str) else body
            sent.append(
                parse(method=method, scheme="https", host=url.hostname or "", port=443, target=target, headers=fields, body=data)
            )
            raise EOFError

    drive = build(
        "drive",
        "v3",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        static_discovery=True,
    )
    asked: HttpRequest = drive.files().list(q="name = '" + "x" * 3000 + "'")
    with pytest.raises(EOFError):
        asked.execute(http=Wire())
    got = classified(sent[0])
    assert sent[0].method == "POST"
    assert (got.service, got.operation, got.kind) == ("google", "drive.files.list", Kind.READ)


def test_the_field_is_not_believed_at_other_hosts() -> None:
    got = classified(post(OVERRIDE, FORM, host="drive.example.com"))
    assert (got.service, got.kind) == ("http", Kind.WRITE)


def test_another_method_than_get_names_the_operation_and_is_as_strict_as_it() -> None:
    got = classified(post((b"X-HTTP-Method-Override", b"DELETE"), target=b"/drive/v3/files/f", body=b""))
    assert (got.operation, got.kind) == ("drive.files.delete", Kind.DELETE)


@pytest.mark.parametrize(
    "headers",
    [
        (OVERRIDE, (b"x-http-method-override", b"DELETE"), FORM),
        (OVERRIDE, (b"Content-Type", b"application/json")),
        ((b"X-HTTP-Method-Override", b"get"), FORM),
    ],
    ids=["twice", "with a body that is no query", "in lower case"],
)
def test_what_googles_clients_do_not_send_stays_at_least_a_write(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert classified(post(*headers)).kind in {Kind.WRITE, Kind.DELETE, Kind.UNKNOWN}


def test_a_form_that_was_not_read_to_its_end_lowers_nothing() -> None:
    assert classified(replace(post(OVERRIDE, FORM), truncated=True)).kind is not Kind.READ


def test_only_such_a_request_needs_its_body_read() -> None:
    known = shipped(("google",))
    assert Google().wants_body(Subject(post(OVERRIDE, FORM), known))
    assert not Google().wants_body(Subject(post(FORM), known))
    assert not Google().wants_body(Subject(post(OVERRIDE, FORM, host="x.example"), known))


def test_a_batch_is_named_and_as_strict_as_its_strictest_part() -> None:
    part = b"--b\r\nContent-Type: application/http\r\n\r\n%s HTTP/1.1\r\n\r\n\r\n"
    body = part % b"GET /storage/v1/b/x" + part % b"DELETE /storage/v1/b/x" + b"--b--\r\n"
    request = post(
        (b"Content-Type", b"multipart/mixed; boundary=b"), host="storage.googleapis.com", target=b"/batch/storage/v1", body=body
    )
    got = classified(request)
    assert (got.service, got.operation, got.kind) == ("google", "batch", Kind.DELETE)
