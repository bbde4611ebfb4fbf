import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import KIND_ORDER, Classified, Kind
from firewall.classify import classify, wants_body
from firewall.classify.generic import Generic
from firewall.classify.known import NOBODY, Known
from firewall.classify.mcp import Mcp
from firewall.request import Headers, Request, parse
from tests.firewall.classify.rewritten import same_json
from tests.firewall.classify.vectors import Described

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "mcp.json").read_text())
NAMED = Known(speakers={"mcp": ("mcp.example", "a.test")})
NAMERS = (Mcp(), Generic())
HEADERS: Headers = ((b"Content-Type", b"application/json"), (b"Accept", b"application/json, text/event-stream"))


def request(
    body: bytes | None, method: str = "POST", host: str = "mcp.example", path: str = "/mcp", headers: Headers = HEADERS
) -> Request:
    return parse(method=method, scheme="https", host=host, port=443, target=path.encode(), headers=headers, body=body)


def of(vector: dict[str, Any]) -> Request:
    headers = tuple((name.encode(), value.encode()) for name, value in vector["headers"].items())
    body = None if vector["body"] is None else vector["body"].encode()
    if body is not None:
        headers = (*headers, (b"Content-Type", b"application/json"))
    return request(body, vector["method"], vector["host"], vector["path"], headers)


def found(request: Request, known: Known = NOBODY) -> Classified:
    return classify(request, known, NAMERS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_message_has_the_protocols_name(vector: dict[str, Any]) -> None:
    seen = found(of(vector))
    assert (seen.service, seen.operation, seen.kind.value) == ("mcp", vector["operation"], vector["kind"])
    if "resource" in vector:
        assert seen.resource == vector["resource"]
    assert wants_body(of(vector), NOBODY, NAMERS) == (vector["method"] == "POST")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_at_a_host_that_the_operator_names_reads_are_reads_and_nothing_else_is_milder(vector: dict[str, Any]) -> None:
    seen = found(of(vector), NAMED)
    assert (seen.service, seen.operation, seen.kind.value) == ("mcp", vector["operation"], vector["named"])


def test_arguments_are_shown_and_bounded() -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a", "arguments": {"text": "x" * 9000}}}
    details = found(request(json.dumps(call).encode())).details
    assert details["arguments"].startswith('{"text":"xxx')
    assert len(details["arguments"]) == 600


@pytest.mark.parametrize(
    ("body", "path", "headers"),
    [
        (b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"}}', "/rpc", ()),  # plain JSON-RPC
        (b'{"query":"x"}', "/mcp", HEADERS),
        (b"a=1", "/mcp", ((b"Content-Type", b"application/x-www-form-urlencoded"),)),
        (b"", "/mcp", HEADERS),
    ],
)
def test_what_is_not_mcp_keeps_its_name(body: bytes, path: str, headers: Headers) -> None:
    assert found(request(body, host="a.test", path=path, headers=headers)).service == "http"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_no_head_or_body_renames_what_a_vendor_has_named(vector: dict[str, Any]) -> None:
    assert found(of(vector), Known(shipped=Described(), speakers=NAMED.speakers)).service == "http"


def test_of_a_body_that_was_cut_nothing_is_said() -> None:
    whole = request(b'{"jsonrpc":"2.0"')
    cut = Request(**{name: getattr(whole, name) for name in Request.__slots__} | {"truncated": True})
    assert (found(cut).operation, found(cut).kind) == ("unreadable", Kind.UNKNOWN)


PARAMS = st.fixed_dictionaries({}, optional={"name": st.text(max_size=5), "uri": st.text(), "arguments": st.just({"a": 1})})
FIELDS = st.tuples(st.sampled_from([b"Mcp-Method", b"Accept", b"Mcp-Name"]), st.binary(max_size=20))
MESSAGE = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": st.sampled_from(["tools/list", "tools/call", "resources/read", "x"])},
    optional={
        "id": st.integers(),
        "params": st.fixed_dictionaries(
            {}, optional={"name": st.text(max_size=5), "uri": st.text(), "arguments": st.just({"a": 1})}
        ),
        "result": st.just({}),
    },
)


@given(st.one_of(MESSAGE, st.lists(MESSAGE, max_size=3)), st.booleans(), st.booleans(), st.integers(0, 2), st.booleans())
def test_the_same_message_written_otherwise_means_the_same(
    message: Any, backwards: bool, escaped: bool, blanks: int, named: bool
) -> None:
    known = NAMED if named else NOBODY
    plain = found(request(json.dumps(message).encode()), known)
    loud = tuple((name.upper(), value) for name, value in HEADERS)
    other = found(request(same_json(message, backwards=backwards, escaped=escaped, blanks=blanks), headers=loud), known)
    assert (plain.operation, plain.kind, plain.risk, plain.resource) == (other.operation, other.kind, other.risk, other.resource)


@given(st.lists(MESSAGE, min_size=1, max_size=4))
def test_a_batch_is_as_strict_as_its_strictest(messages: list[Any]) -> None:
    alone = [found(request(json.dumps(one).encode()), NAMED).kind for one in messages]
    assert found(request(json.dumps(messages).encode()), NAMED).kind is max(alone, key=KIND_ORDER.index)


@given(
    st.binary(max_size=200), st.lists(st.tuples(st.sampled_from([b"Mcp-Method", b"Accept", b"Mcp-Name"]), st.binary(max_size=20)))
)
def test_any_bytes_are_read_or_unknown_and_never_milder_than_a_write(body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    seen = found(request(body, headers=tuple(headers)))
    assert seen == found(request(body, headers=tuple(headers)))
    assert seen.kind is not Kind.READ
