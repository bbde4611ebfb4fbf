import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import KIND_ORDER, Kind
from firewall.classify import classify, wants_body
from firewall.classify.known import NOBODY, Known
from firewall.classify.llm import enrich
from firewall.classify.meaning import Meaning, Subject
from firewall.request import Headers, Request, parse

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "llm.json").read_text())
JSON: Headers = ((b"Content-Type", b"application/json"),)
PLAIN = Meaning(service="openai", operation="responses.create", kind=Kind.WRITE, resource={"a": "b"}, details={"c": "d"})


def request(
    body: bytes, host: str = "api.openai.com", path: str = "/v1/responses", headers: Headers = JSON, method: str = "POST"
) -> Request:
    return parse(method=method, scheme="https", host=host, port=443, target=path.encode(), headers=headers, body=body)


def told(request: Request, known: Known = NOBODY) -> Meaning:
    return enrich(Subject(request, known), PLAIN)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_what_the_provider_does_is_seen(vector: dict[str, Any]) -> None:
    inference = request(vector["body"].encode(), vector["host"], vector["path"])
    assert wants_body(inference)
    seen = told(inference)
    assert seen.kind.value == vector["kind"]
    assert sorted(seen.destinations) == sorted(vector["destinations"])
    assert (seen.details.get("tools", ""), seen.details.get("model", "")) == (vector["tools"], vector["model"])
    assert (seen.resource["a"], seen.details["c"]) == ("b", "d")
    assert "s3cr3t" not in repr(seen)
    assert classify(inference).kind.value == vector["kind"]


@pytest.mark.parametrize(
    ("host", "method", "headers"),
    [
        ("a.test", "POST", JSON),
        ("api.openai.com.evil.test", "POST", JSON),
        ("api.openai.com", "GET", JSON),
        ("api.openai.com", "POST", ((b"Content-Type", b"multipart/form-data; boundary=b"),)),
    ],
)
def test_elsewhere_nothing_is_said(host: str, method: str, headers: Headers) -> None:
    assert told(request(b'{"model":"m","tools":[{"type":"web_search"}]}', host, headers=headers, method=method)) == PLAIN


@pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini"])
def test_where_the_operator_says_that_a_model_answers_bodies_are_read(dialect: str) -> None:
    known = Known(speakers={dialect: ("llm.corp.test",)})
    inference = request(b'{"model":"m","tools":[{"type":"web_search"}]}', "llm.corp.test")
    assert wants_body(inference, known)
    assert told(inference, known).destinations == ("provider:web_search",)


def test_of_a_body_that_was_cut_nothing_good_is_said() -> None:
    whole = request(b'{"model":"m"}')
    cut = Request(**{name: getattr(whole, name) for name in Request.__slots__} | {"truncated": True})
    assert told(cut).kind is Kind.UNKNOWN


def test_a_model_is_part_of_the_resource_unless_the_path_named_one() -> None:
    assert told(request(b'{"model":"m"}')).resource == {"a": "b", "model": "m"}
    named = Meaning(service="google", operation="x", kind=Kind.WRITE, resource={"model": "models/g"})
    assert enrich(Subject(request(b'{"model":"m"}'), NOBODY), named).resource == {"model": "models/g"}


TOOLS = st.sampled_from(
    [
        {"type": "web_search"},
        {"type": "function", "name": "f"},
        {"googleSearch": {}},
        {"name": "x"},
        {"type": "mcp", "server_url": "x"},
    ]
)


@given(st.lists(TOOLS, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_the_same_body_written_otherwise_means_the_same(tools: list[Any], escaped: bool, indent: int | None) -> None:
    body = {"model": "m", "input": "hi", "tools": tools}
    text = json.dumps(dict(reversed(body.items())), indent=indent)
    other = text.replace('"tools"', '"\\u0074ools"').replace("web_search", "web\\u005fsearch") if escaped else text
    assert told(request(json.dumps(body).encode())) == told(request(other.encode()))


@given(st.binary())
def test_any_bytes_are_read_or_unknown_and_never_milder(body: bytes) -> None:
    seen = told(request(body))
    assert seen == told(request(body))
    assert KIND_ORDER.index(seen.kind) >= KIND_ORDER.index(PLAIN.kind)
