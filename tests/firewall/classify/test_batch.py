import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Kind
from firewall.classify import classify, wants_body
from firewall.classify.batch import PARTS, batch_kind, is_batch
from firewall.classify.known import NOBODY, Empty, Known, Match
from firewall.classify.meaning import Subject
from firewall.request import Request, parse

BATCHES = json.loads((Path(__file__).parents[2] / "vectors" / "batches.json").read_text())


def request(path: str, content_type: str, body: bytes, host: str = "a.test") -> Request:
    return parse(
        method="POST",
        scheme="https",
        host=host,
        port=443,
        target=path.encode(),
        headers=((b"Content-Type", content_type.encode()),) if content_type else (),
        body=body,
    )


@pytest.mark.parametrize("vector", BATCHES, ids=lambda vector: vector["name"])
def test_the_strictest_part_decides(vector: dict[str, str]) -> None:
    found = request(vector["path"], vector["content_type"], vector["body"].encode())
    assert classify(found).kind == vector["kind"]
    assert is_batch(Subject(found, NOBODY))
    assert wants_body(found)


def test_a_batch_of_too_many_is_unknown() -> None:
    body = json.dumps({"requests": [{"method": "GET", "url": "/"}] * (PARTS + 1)}).encode()
    assert classify(request("/$batch", "application/json", body)).kind is Kind.UNKNOWN


def test_the_graph_apis_field_is_a_batch_and_another_hosts_is_a_field() -> None:
    body = b"batch=" + b'[{"method":"DELETE","relative_url":"1"},{"relative_url":"me"}]'
    form = "application/x-www-form-urlencoded"
    assert classify(request("/", form, body, "graph.facebook.com")).kind is Kind.DELETE
    assert classify(request("/", form, b"batch=x", "graph.facebook.com")).kind is Kind.UNKNOWN
    assert classify(request("/", form, body)).kind is Kind.WRITE


class Catalog(Empty):
    def look_up(
        self, place: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        if (method, segments) != ("POST", ("v1.0", "me", "sendMail")):
            return None
        return Match(
            service="graph", operation="sendMail", kind=Kind.EXECUTE, template="/me/sendMail", parameters={}, catalog="graph@1"
        )


@pytest.mark.parametrize("url", ["/me/sendMail", "me/sendMail", "/v1.0/me/sendMail", "https://a.test/v1.0/me/sendMail"])
def test_what_a_catalog_says_of_a_part_counts(url: str) -> None:
    body = json.dumps({"requests": [{"method": "POST", "url": url}]}).encode()
    subject = Subject(request("/v1.0/$batch", "application/json", body), Known(shipped=Catalog()))
    assert batch_kind(subject) is Kind.EXECUTE


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"jsonrpc": "2.0", "method": "user.get"}, "write"),
        ({"jsonrpc": "2.0", "method": "user.delete"}, "delete"),
        ([{"jsonrpc": "2.0", "method": "a"}, {"jsonrpc": "2.0", "method": "deleteUser"}], "delete"),
        ([{"jsonrpc": "2.0", "method": "a"}] * (PARTS + 1), "unknown"),
        ({"method": "user.delete"}, "write"),
        ([{"method": "user.delete"}], "write"),
    ],
)
def test_json_rpc_is_as_strict_as_the_verbs_of_its_methods(body: object, kind: str) -> None:
    assert classify(request("/rpc", "application/json", json.dumps(body).encode())).kind == kind


METHODS = st.sampled_from(["GET", "POST", "DELETE", "get", "X", "", "PATCH"])


@given(st.lists(st.fixed_dictionaries({"method": METHODS | st.integers(), "url": st.text(max_size=12) | st.none()}), max_size=4))
def test_any_batch_is_read_or_unknown_and_no_order_makes_it_milder(parts: list[dict[str, object]]) -> None:
    kinds = {
        batch_kind(Subject(request("/$batch", "application/json", json.dumps({"requests": order}).encode()), NOBODY))
        for order in (parts, parts[::-1])
    }
    assert len(kinds) == 1
    if any(part["method"] == "DELETE" for part in parts):
        assert kinds <= {Kind.DELETE, Kind.UNKNOWN}
