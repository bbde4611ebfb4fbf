import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Kind, Risk
from firewall.classify import classify, wants_body
from firewall.classify.batch import PARTS, is_batch, sum_of
from firewall.classify.known import NOBODY, Empty, Known, Match
from firewall.classify.meaning import Subject
from firewall.request import Request, parse
from tests.catalogs.shipped import shipped

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


@pytest.mark.parametrize("kind", ["json", "text", "query"])
def test_the_graph_apis_field_may_stand_in_json_and_in_the_query(kind: str) -> None:
    batch = [{"method": "DELETE", "relative_url": "1"}]
    if kind == "query":
        target = "/?batch=" + quote(json.dumps(batch))
        found = request(target, "", b"", "graph.facebook.com")
    else:
        body = json.dumps({"batch": batch if kind == "json" else json.dumps(batch)}).encode()
        found = request("/", "application/json", body, "graph.facebook.com")
    assert classify(found).kind is Kind.DELETE
    assert wants_body(found)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/1.0/batch", {"data": {"actions": [{"relative_path": "/tasks/1", "method": "delete"}]}}),
        ("/3.0/batches", {"operations": [{"method": "DELETE", "path": "/lists/1"}]}),
        ("/services/data/v66.0/composite", {"compositeRequest": [{"method": "DELETE", "url": "/x", "referenceId": "a"}]}),
        ("/services/data/v66.0/composite/batch", {"batchRequests": [{"method": "DELETE", "url": "v66.0/x"}]}),
    ],
)  # fmt: skip
def test_vendors_batches_in_json_of_their_own(path: str, body: object) -> None:
    found = request(path, "application/json", json.dumps(body).encode())
    assert classify(found).kind is Kind.DELETE
    assert wants_body(found)


def test_a_batch_that_has_no_methods_is_as_it_was() -> None:
    body = {"requests": [{"custom_id": "a", "params": {"model": "m"}}]}
    assert classify(request("/v1/messages/batches", "application/json", json.dumps(body).encode())).kind is Kind.WRITE


def test_the_riskiest_part_decides_what_the_whole_risks() -> None:
    body = b"--b\r\nContent-Type: application/http\r\n\r\nPUT /storage/v1/b/x/iam HTTP/1.1\r\n\r\n\r\n--b--\r\n"
    found = request("/batch/storage/v1", "multipart/mixed; boundary=b", body, "storage.googleapis.com")
    got = classify(found, shipped(("google",)))
    assert (got.kind, got.risk) == (Kind.WRITE, Risk.CRITICAL)
    harmless = request("/batch/storage/v1", "multipart/mixed; boundary=b", body.replace(b"PUT", b"GET"), "storage.googleapis.com")
    assert classify(harmless, shipped(("google",))).risk is Risk.MEDIUM


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
    assert sum_of(subject).kind is Kind.EXECUTE


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
        sum_of(Subject(request("/$batch", "application/json", json.dumps({"requests": order}).encode()), NOBODY)).kind
        for order in (parts, parts[::-1])
    }
    assert len(kinds) == 1
    if any(part["method"] == "DELETE" for part in parts):
        assert kinds <= {Kind.DELETE, Kind.UNKNOWN}
