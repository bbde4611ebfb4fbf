import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Classified, Kind
from firewall.classify import classify, wants_body
from firewall.classify.generic import Generic
from firewall.classify.known import NOBODY, Known
from firewall.classify.oauth import OAuth
from firewall.request import Headers, Request, parse
from tests.firewall.classify.vectors import Described

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "oauth.json").read_text())
NAMERS = (OAuth(), Generic())
FORM: Headers = ((b"Content-Type", b"application/x-www-form-urlencoded"),)


def request(body: bytes, path: str = "/token", headers: Headers = FORM, method: str = "POST") -> Request:
    return parse(method=method, scheme="https", host="id.test", port=443, target=path.encode(), headers=headers, body=body)


def of(vector: dict[str, Any]) -> Request:
    headers = {"Content-Type": vector["content_type"]} | vector["headers"]
    fields = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return request(vector["body"].encode(), vector["path"], fields)


def found(request: Request, known: Known = NOBODY) -> Classified:
    return classify(request, known, NAMERS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_request_for_a_token_says_how_it_is_asked_for_and_never_shows_a_secret(vector: dict[str, Any]) -> None:
    seen = found(of(vector))
    assert (seen.service, seen.operation, seen.kind.value) == ("oauth", vector["operation"], vector["kind"])
    assert seen.resource == vector["resource"]
    if "details" in vector:
        assert seen.details == vector["details"]
    assert "s3cr3t" not in repr(seen)
    assert wants_body(of(vector), NOBODY, NAMERS)


@pytest.mark.parametrize(
    ("path", "body", "content_type"),
    [
        ("/token", b"a=b", b"application/x-www-form-urlencoded"),
        ("/v1/devices/register", b'{"name":"x"}', b"application/json"),
        ("/orders/revoke", b"token=1", b"application/x-www-form-urlencoded"),
        ("/things", b'{"grant_type":"x"}', b"application/json"),
        ("/things/code", b"client_id=1", b"application/x-www-form-urlencoded"),
    ],
)
def test_what_asks_for_no_token_keeps_its_name(path: str, body: bytes, content_type: bytes) -> None:
    assert found(request(body, path, ((b"Content-Type", content_type),))).service == "http"


def test_another_method_keeps_its_name() -> None:
    assert found(request(b"grant_type=password", method="PUT")).service == "http"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_no_form_renames_what_a_vendor_has_named(vector: dict[str, Any]) -> None:
    assert found(of(vector), Known(shipped=Described())).service == "http"


@given(st.binary(max_size=150).map(lambda tail: b"grant_type=password&" + tail) | st.binary(max_size=100))
def test_any_form_is_read_or_unknown_and_never_milder_than_a_write(body: bytes) -> None:
    seen = found(request(body))
    assert seen == found(request(body))
    assert seen.kind is not Kind.READ


@given(st.dictionaries(st.sampled_from(["grant_type", "scope", "client_id", "x"]), st.text("abc /:", max_size=6), min_size=1))
def test_escaping_what_needs_none_changes_nothing(fields: dict[str, str]) -> None:
    plain = found(request(urlencode(fields).encode()))
    escaped = "&".join("=".join("".join(f"%{byte:02x}" for byte in text.encode()) for text in pair) for pair in fields.items())
    other = found(request(escaped.encode(), headers=((b"content-type", b"Application/x-www-form-urlencoded;charset=UTF-8"),)))
    assert (plain.operation, plain.kind, plain.risk, plain.resource) == (other.operation, other.kind, other.risk, other.resource)
