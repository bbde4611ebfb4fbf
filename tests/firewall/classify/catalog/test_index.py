import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Kind
from firewall.classify.catalog import index as module
from firewall.classify.catalog.build import build
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.known import Match, TooMuchWork, operators_place
from tests.firewall.classify.catalog.made import facts, index

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "vectors" / "catalog.json").read_text())
MADE = {name: facts(*lines) for name, lines in VECTORS["catalogs"].items()}
INDEXES = {name: index(made) for name, made in MADE.items()}


def cases(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", VECTORS[name], ids=lambda vector: vector["case"])


def asked(vector: dict[str, Any]) -> Match | None:
    path: list[str] = []
    for part in vector["path"]:
        path += [part] if isinstance(part, str) else [part[0]] * part[1]
    return INDEXES[vector["in"]].look_up(
        vector.get("host", "api.forge.test"),
        vector.get("method", "GET"),
        tuple(path),
        vector.get("query", ""),
        frozenset(name.encode() for name in vector.get("headers", ())),
    )


@cases("found")
def test_a_request_that_is_an_operation_is_found_with_its_parameters(vector: dict[str, Any]) -> None:
    match = asked(vector)
    assert match is not None
    assert match.operation == vector["is"]
    if "with" in vector or len(vector["path"]) < 3:
        assert match.parameters == vector.get("with", {})
    assert match.kind == vector.get("kind", match.kind)
    assert match.service == "forge"


@cases("not found")
def test_a_request_that_is_a_neighbour_of_an_operation_is_none(vector: dict[str, Any]) -> None:
    assert asked(vector) is None


@cases("too much")
def test_a_path_that_is_made_to_be_slow_is_given_up(vector: dict[str, Any]) -> None:
    with pytest.raises(TooMuchWork):
        asked(vector)


def test_it_knows_the_hosts_of_its_catalogs_and_no_others() -> None:
    known = INDEXES["bases"]
    assert [known.knows(host) for host in ("api.forge.test", "x.forge.test", "a.b.deep.test", operators_place("forge"))] == [
        True
    ] * 4
    assert [known.knows(host) for host in ("forge.test", "a.b.forge.test", "deep.test", "", "test")] == [False] * 5


def test_an_operation_without_a_name_is_method_and_template() -> None:
    match = index(facts("at a.test /v1", "op GET /x/{y} read ")).look_up("a.test", "GET", ("v1", "x", "1"), "", frozenset())
    assert match is not None
    assert (match.operation, match.template) == ("GET /x/{y}", "/x/{y}")


def test_a_path_may_be_as_long_as_a_template() -> None:
    made = index(facts("at a.test /", "op GET /" + "/".join(f"{{p{i}}}" for i in range(32)) + " read long"))
    match = made.look_up("a.test", "GET", tuple(f"v{i}" for i in range(32)), "", frozenset())
    assert match is not None
    assert match.parameters == {f"p{i}": f"v{i}" for i in range(32)}


def test_the_iam_action_stands_beside_the_operation() -> None:
    made = index(facts("at a.test /", "op PUT /x write PutX iam=s3:PutObject"))
    match = made.look_up("a.test", "PUT", ("x",), "", frozenset())
    assert match is not None
    assert (match.iam_action, match.catalog[:6], match.slashes) == ("s3:PutObject", "forge@", True)


def test_two_catalogs_of_one_host_name_in_order_and_the_strictest_kind_counts() -> None:
    both = index(facts("at a.test /", "op POST /x read one"), facts("at a.test /", "op POST /{y} delete two", service="other"))
    match = both.look_up("a.test", "POST", ("x",), "", frozenset())
    assert match is not None
    assert (match.service, match.operation, match.kind) == ("forge", "one", Kind.DELETE)
    assert both.services == ("forge", "other")


def test_a_query_with_too_many_fields_is_not_looked_at() -> None:
    with pytest.raises(ValueError, match="fields"):
        INDEXES["needs"].look_up("s3.aws.invalid", "GET", ("b",), "acl&" * 2000, frozenset())


def test_hosts_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOSTS", 4)
    made = index(facts("at *.test /", "op GET /x read x"))
    for i in range(20):
        assert made.look_up(f"a{i}.test", "GET", ("x",), "", frozenset()) is not None
        assert len(made._roots) <= 4


def test_bytes_that_were_changed_are_an_error_or_another_answer_but_no_endless_loop() -> None:
    made = facts("at a.test /", "op GET /x/{y}:go read go", "op GET /x/{+y} read rest", "op GET /x/{y}.json read json")
    data = build([(made, "r")])
    ended = 0
    for at in range(0, len(data), 3):
        changed = bytearray(data)
        changed[at] ^= 0xFF
        with contextlib.suppress(ValueError, IndexError, TypeError, OverflowError):
            BinaryIndex(bytes(changed)).look_up("a.test", "GET", ("x", "y", "z"), "", frozenset())
        ended += 1
    assert ended > 100


@given(st.lists(st.text(), max_size=8), st.sampled_from(sorted(INDEXES)), st.text(max_size=20))
def test_any_path_is_an_operation_or_none_and_always_the_same(path: list[str], name: str, query: str) -> None:
    made = INDEXES[name]
    found = [made.look_up("api.forge.test", "GET", tuple(path or [""]), query, frozenset()) for _ in range(2)]
    assert found[0] == found[1]
