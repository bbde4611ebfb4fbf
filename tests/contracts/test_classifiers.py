"""What holds for all classifiers together, whatever the request: they end, they agree with themselves, and what an upstream would
take for the same request is not milder."""

import gzip
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firewall.action import KIND_ORDER, RISK_ORDER, Classified, Kind
from firewall.classify import classify, wants_body
from firewall.classify.generic import method_kind
from firewall.classify.known import NOBODY, Known
from firewall.errors import Malformed
from firewall.request import Headers, Request, parse
from tests.firewall.classify.rewritten import same_form, same_json

NAMED = Known(speakers=dict.fromkeys(("mcp", "graphql", "git", "openai", "npm", "pypi", "oci"), ("a.test",)))
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "PROPFIND", "post"])
HOSTS = st.sampled_from(
    ["a.test", "api.github.com", "github.com", "api.openai.com", "api.anthropic.com", "s3.amazonaws.com", "graph.facebook.com"]
)
PATHS = st.sampled_from(
    [
        "/", "/graphql", "/mcp", "/$batch", "/token", "/o/r.git/git-upload-pack", "/o/r.git/git-receive-pack", "/v1/responses",
        "/graphql?query=%7Ba%7D", "/?Action=DeleteUser", "/?_method=DELETE", "/p.S/M", "/simple/x/", "/oauth2/revoke",
        "/v2/x/manifests/y",
    ]
)  # fmt: skip
FIELDS: tuple[tuple[bytes, bytes], ...] = (
    (b"Accept", b"application/json, text/event-stream"),
    (b"Mcp-Session-Id", b"s"),
    (b"Mcp-Method", b"tools/list"),
    (b"X-HTTP-Method-Override", b"DELETE"),
    (b"X-Amz-Target", b"DynamoDB_20120810.DeleteTable"),
    (b"Authorization", b"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"),
    (b"TE", b"trailers"),
)
HEADERS = st.lists(st.sampled_from(FIELDS), unique=True, max_size=4).map(tuple)
LEAVES = st.sampled_from(
    [
        "2.0",
        "tools/call",
        "tools/list",
        "{ a }",
        "mutation { deleteIssue { id } }",
        "DELETE",
        "/x",
        "password",
        "web_search",
        1,
        None,
    ]
)
NAMES = st.sampled_from(
    [
        "jsonrpc",
        "method",
        "params",
        "name",
        "query",
        "operationName",
        "requests",
        "url",
        "_method",
        "grant_type",
        "tools",
        "type",
        "x",
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=5) | st.lists(st.dictionaries(NAMES, VALUES, max_size=4), max_size=3)
FORMS = st.lists(
    st.sampled_from(["_method=DELETE", "grant_type=password", "token=x", "query={a}", "Action=DeleteUser", "a=b"]), max_size=3
)
FORM = b"application/x-www-form-urlencoded"
KNOWN = st.sampled_from([NOBODY, NAMED])
slow = settings(suppress_health_check=[HealthCheck.too_slow])


def request(method: str, host: str, path: str, headers: Headers, body: bytes | None) -> Request:
    return parse(method=method, scheme="https", host=host, port=443, target=path.encode(), headers=headers, body=body)


def milder(found: Classified, than: Classified) -> bool:
    return KIND_ORDER.index(found.kind) < KIND_ORDER.index(than.kind) or RISK_ORDER.index(found.risk) < RISK_ORDER.index(than.risk)


def loud(headers: Headers) -> Headers:
    return tuple((name.swapcase(), value) for name, value in reversed(headers))


@slow
@given(METHODS, HOSTS, st.text("/%$;:.abmcpgraqlx2Ff?=&", max_size=40), HEADERS, st.none() | st.binary(max_size=200), KNOWN)
def test_any_request_is_classified_and_always_the_same(
    method: str, host: str, path: str, headers: Headers, body: bytes | None, known: Known
) -> None:
    try:
        seen = request(method, host, "/" + path, headers, body)
    except Malformed:
        return
    assert classify(seen, known) == classify(seen, known)
    assert wants_body(seen, known) in (True, False)


@slow
@given(METHODS, HOSTS, PATHS, HEADERS, DOCUMENTS, KNOWN, st.booleans(), st.booleans(), st.integers(0, 2))
def test_the_same_json_is_not_milder(
    method: str, host: str, path: str, headers: Headers, document: Any, known: Known, backwards: bool, escaped: bool, blanks: int
) -> None:
    typed = (*headers, (b"Content-Type", b"application/json"))
    plain = classify(request(method, host, path, typed, json.dumps(document).encode()), known)
    text = same_json(document, backwards=backwards, escaped=escaped, blanks=blanks)
    other = (*headers, (b"Content-Type", b"Application/JSON; charset=UTF-8"))
    assert not milder(classify(request(method, host, path, loud(other), text), known), plain)
    zipped = (*typed, (b"Content-Encoding", b"GZIP"))
    assert not milder(classify(request(method, host, path, zipped, gzip.compress(text)), known), plain)


@slow
@given(METHODS, HOSTS, PATHS, HEADERS, FORMS, KNOWN)
def test_the_same_form_is_not_milder(method: str, host: str, path: str, headers: Headers, fields: list[str], known: Known) -> None:
    typed, body = (*headers, (b"Content-Type", FORM)), "&".join(fields).encode()
    plain = classify(request(method, host, path, typed, body), known)
    assert not milder(classify(request(method, host, path, loud(typed), same_form(body)), known), plain)
    assert not milder(classify(request(method, host, path, typed, body + b"&"), known), plain)


@slow
@given(METHODS, HOSTS, PATHS, HEADERS, DOCUMENTS)
def test_where_nobody_is_named_no_body_makes_a_request_milder_than_its_method(
    method: str, host: str, path: str, headers: Headers, document: Any
) -> None:
    found = classify(request(method, host, path, (*headers, (b"Content-Type", b"application/json")), json.dumps(document).encode()))
    if host in ("a.test", "api.openai.com"):
        assert KIND_ORDER.index(found.kind) >= KIND_ORDER.index(method_kind(method))
    assert found.kind in Kind
