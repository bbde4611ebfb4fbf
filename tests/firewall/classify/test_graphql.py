import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import KIND_ORDER, Classified, Kind
from firewall.classify import classify, wants_body
from firewall.classify.generic import Generic
from firewall.classify.graphql import GraphQL
from firewall.classify.known import NOBODY, Known
from firewall.request import Headers, Request, parse
from tests.firewall.classify.vectors import Described

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "graphql.json").read_text())
NAMED = Known(speakers={"graphql": ("a.test",)})
NAMERS = (GraphQL(), Generic())
JSON: Headers = ((b"Content-Type", b"application/json"),)


def request(
    body: bytes | None, path: str = "/graphql", host: str = "a.test", headers: Headers = JSON, method: str = "POST"
) -> Request:
    return parse(method=method, scheme="https", host=host, port=443, target=path.encode(), headers=headers, body=body)


def of(vector: dict[str, Any], host: str = "a.test", path: str | None = None) -> Request:
    headers = ((b"Content-Type", vector["content_type"].encode()),) if vector["body"] is not None else ()
    body = None if vector["body"] is None else vector["body"].encode()
    return request(body, path or vector["path"], host, headers, vector["method"])


def found(request: Request, known: Known = NOBODY) -> Classified:
    return classify(request, known, NAMERS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_request_is_what_its_root_fields_do(vector: dict[str, Any]) -> None:
    seen = found(of(vector))
    assert (seen.service, seen.operation, seen.kind.value) == ("graphql", vector["operation"], vector["kind"])
    if "fields" in vector:
        assert seen.resource == {"fields": vector["fields"]}
    assert wants_body(of(vector), NOBODY, NAMERS) == (vector["method"] == "POST")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_at_a_host_that_the_operator_names_queries_are_reads_and_nothing_else_is_milder(vector: dict[str, Any]) -> None:
    seen = found(of(vector), NAMED)
    assert (seen.operation, seen.kind.value) == (vector["operation"], vector["reviewed"])


@pytest.mark.parametrize(
    ("service", "host", "path"),
    [
        ("github", "api.github.com", "/graphql"),
        ("gitlab", "gitlab.com", "/api/graphql"),
        ("shopify", "shop-1.myshopify.com", "/admin/api/2026-01/graphql.json"),
        ("linear", "api.linear.app", "/graphql"),
        ("monday", "api.monday.com", "/v2"),
    ],
)
def test_at_a_vendors_own_endpoint_a_query_is_a_read(service: str, host: str, path: str) -> None:
    query = found(request(b'{"query":"{ a }"}', path, host))
    assert (query.service, query.operation, query.kind) == (service, "query/a", Kind.READ)
    for neighbour in (path + "/", path + "x", path.upper()):
        assert found(request(b'{"query":"{ a }"}', neighbour, host)).kind is Kind.WRITE
    assert (
        found(request(b'{"query":"{ a }"}', path, "evil-" + host if service != "shopify" else host + ".evil.test")).kind
        is Kind.WRITE
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "known"),
    [
        ("GET", "/graphql", None, NOBODY),
        ("POST", "/api/things", b'{"query":"{ a }"}', NOBODY),
        ("POST", "/api/things", b'{"id":1,"name":"x"}', NAMED),
        ("GET", "/api/things?id=1", None, NAMED),
        ("PUT", "/graphql", b'{"query":"{ a }"}', NOBODY),
    ],
)
def test_what_is_not_graphql_keeps_its_name(method: str, path: str, body: bytes | None, known: Known) -> None:
    assert found(request(body, path, method=method), known).service == "http"


def test_at_a_host_that_the_operator_names_any_path_may_be_the_endpoint() -> None:
    assert found(request(b'{"query":"{ a }"}', "/v3"), NAMED).operation == "query/a"
    assert found(request(b'{"Query":"{ a }"}', "/v3"), NAMED).kind is Kind.UNKNOWN


def test_the_document_and_its_variables_are_shown_and_bounded() -> None:
    body = json.dumps({"query": "mutation($t: String) { createIssue(title: $t) { id } }", "variables": {"t": "x" * 9000}})
    details = found(request(body.encode())).details
    assert [*details] == ["variables", "document"]
    assert len(details["variables"]) == 600


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_no_body_renames_what_a_vendor_has_named(vector: dict[str, Any]) -> None:
    assert found(of(vector), Known(shipped=Described(), speakers=NAMED.speakers)).service == "http"


NAMES = st.sampled_from(["viewer", "createIssue", "deleteIssue", "runScript", "x"])
DOCUMENTS = st.builds(
    lambda kind, fields: kind + " {" + " ".join(f"a{number}: {name} {{ id }}" for number, name in enumerate(fields)) + "}",
    st.sampled_from(["query", "mutation", "subscription", ""]),
    st.lists(NAMES, min_size=1, max_size=4),
)


@given(st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_a_batch_is_as_strict_as_its_strictest(documents: list[str]) -> None:
    alone = [found(request(json.dumps({"query": document}).encode()), NAMED).kind for document in documents]
    together = found(request(json.dumps([{"query": document} for document in documents]).encode()), NAMED)
    assert together.kind is max(alone, key=KIND_ORDER.index)


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1, 2]), st.sampled_from([b"CONTENT-TYPE", b"content-type"]))
def test_the_same_request_written_otherwise_means_the_same(document: str, escaped: bool, indent: int | None, name: bytes) -> None:
    members = {"query": document, "operationName": None, "variables": {"a": 1}}
    plain = found(request(json.dumps(members).encode()))
    text = json.dumps(dict(reversed(members.items())), indent=indent)
    if escaped:
        text = text.replace('"query"', '"\\u0071\\u0075ery"')
    other = found(request(text.encode(), headers=((name, b"Application/JSON; charset=utf-8"),)))
    assert (plain.operation, plain.kind, plain.risk, plain.resource) == (other.operation, other.kind, other.risk, other.resource)
    loose = found(request(json.dumps({"query": "# a comment\n" + document.replace(" ", " , \n")}).encode()))
    assert (plain.operation, plain.kind) == (loose.operation, loose.kind)


@given(
    st.binary(max_size=200) | st.text('{}()[]:!@$."#a query', max_size=60).map(lambda text: json.dumps({"query": text}).encode())
)
def test_any_bytes_are_read_or_unknown_and_never_milder_than_a_write(body: bytes) -> None:
    for content_type in (b"application/json", b"application/graphql", b"application/x-www-form-urlencoded"):
        seen = found(request(body, headers=((b"Content-Type", content_type),)))
        assert seen == found(request(body, headers=((b"Content-Type", content_type),)))
        assert seen.kind is not Kind.READ
