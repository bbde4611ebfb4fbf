import gzip

import pytest

from firewall.action import Kind
from firewall.classify import classify, wants_body
from firewall.classify.known import NOBODY
from firewall.classify.meaning import Subject
from firewall.classify.overrides import HEADERS
from firewall.classify.signs import signs
from firewall.request import Headers, Request, parse

PARTS = b'--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\ndelete\r\n--b--'
FORM = "application/x-www-form-urlencoded"


def request(
    method: str = "POST", target: bytes = b"/", content_type: str = "", body: bytes | None = None, headers: Headers = ()
) -> Request:
    if content_type:
        headers = (*headers, (b"Content-Type", content_type.encode()))
    return parse(method=method, scheme="https", host="a.test", port=443, target=target, headers=headers, body=body)


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_an_override_raises_the_kind(name: bytes) -> None:
    assert signs(Subject(request("GET", headers=((name, b"DELETE"),)), NOBODY)).kind is Kind.DELETE


def test_nothing_odd_is_no_sign() -> None:
    assert signs(Subject(request("DELETE"), NOBODY)).kind is Kind.READ


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        (FORM, b"a=1&_method=delete", "delete"),
        (FORM, b"a=1&_method=PATCH", "write"),
        (FORM, b"%5fmethod=DELE%54E", "delete"),
        (FORM, b"_method=put&_method=delete", "delete"),
        (FORM, b"_method=nonsense", "unknown"),
        (FORM, b"a=1&method=delete", "write"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\ndelete\r\n--b--',
            "delete",
        ),
        ("application/json", b'{"_method":"DELETE"}', "delete"),
        ("application/json", b'{"_meth\\u006fd":"DELETE"}', "delete"),
        ("application/json", b'{"a":{"_method":"DELETE"}}', "write"),
        ("application/json", b'{"a":1,"a":2}', "unknown"),
        ("application/json", b'{"a":', "unknown"),
        ("", b'{"_method":"DELETE"}', "delete"),
        ("image/png", b"\x89PNG", "write"),
        ("text/plain", b"hello", "write"),
    ],
)
def test_a_body_may_raise_the_kind(content_type: str, body: bytes, kind: str) -> None:
    assert classify(request(content_type=content_type, body=body)).kind == kind
    if content_type:
        zipped = request(content_type=content_type, body=gzip.compress(body), headers=((b"Content-Encoding", b"gzip"),))
        assert classify(zipped).kind == kind


def test_bodies_are_wanted_where_frameworks_look_for_another_method() -> None:
    assert wants_body(request(content_type=FORM + "; charset=utf-8"))
    assert wants_body(request(content_type="Multipart/Form-Data; boundary=b"))
    assert wants_body(request(content_type=f"text/plain, {FORM}"))
    assert not wants_body(request(content_type="application/json"))
    assert not wants_body(request("PUT", content_type=FORM))


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        (FORM, "unknown"),
        ("multipart/mixed; boundary=b", "unknown"),
        ("multipart/form-data; boundary=b", "write"),
        ("application/json", "write"),
        ("image/png", "write"),
    ],
)
def test_of_a_long_body_a_beginning_has_to_do_but_of_a_form_or_batch(content_type: str, kind: str) -> None:
    whole = request(content_type=content_type, body=b"--b\r\n{")
    cut = Request(**{name: getattr(whole, name) for name in Request.__slots__} | {"truncated": True})
    assert classify(cut).kind == kind
