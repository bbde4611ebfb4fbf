import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firewall.action import Kind
from firewall.classify.catalog.facts import Facts, Operation, parse_facts, print_facts
from firewall.classify.catalog.openapi import MAX_NOTES, BadDocument, read_openapi

ATTACKS = json.loads((Path(__file__).parents[3] / "vectors" / "openapi.json").read_text())
SERVERS = [{"url": "https://api.shop.dev/v1"}]


def read(document: Any, **more: Any) -> Facts:
    text = document if isinstance(document, str | bytes) else json.dumps(document)
    return read_openapi(text, service="shop", source="shop.json", date="2026-09-30", **more)


def openapi(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.0.3", "info": {"title": "Shop", "license": {"name": "MIT"}}, "servers": SERVERS, "paths": paths, **more}


def lines(facts: Facts) -> list[str]:
    return [line for line in print_facts(facts).splitlines() if line.startswith(("at\t", "op\t"))]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["name"])
def test_it_is_refused_by_line_or_path(attack: dict[str, str]) -> None:
    with pytest.raises(BadDocument) as refusal:
        read(attack["document"])
    assert (refusal.value.where, attack["reason"] in refusal.value.reason) == (attack["where"], True), str(refusal.value)


def test_a_document_becomes_facts() -> None:
    facts = read(
        openapi(
            {
                "/pets": {"get": {"operationId": "listPets"}, "post": {"operationId": "createPet"}},
                "/pets/{petId}": {"delete": {"operationId": "deletePet"}, "get": {}},
            }
        )
    )
    assert (facts.service, facts.title, facts.source, facts.date, facts.licence) == (
        "shop",
        "Shop",
        "shop.json",
        "2026-09-30",
        "MIT",
    )
    assert lines(facts) == [
        "at\tapi.shop.dev\t/v1",
        "op\tGET\t/pets\tread\tlistPets",
        "op\tPOST\t/pets\twrite\tcreatePet",
        "op\tDELETE\t/pets/{petId}\tdelete\tdeletePet",
        "op\tGET\t/pets/{petId}\tread\t",
    ]
    assert parse_facts(print_facts(facts)) == facts


def test_yaml_reads_like_json() -> None:
    text = """
openapi: 3.0.3
info: {title: Shop, version: 2020-01-01, license: {name: MIT}}
servers: [{url: "https://api.shop.dev/v1"}]
paths:
  /pets:
    get:
      operationId: listPets
      responses:
        200: {description: on}
        on: {}
"""
    assert read(text) == read(openapi({"/pets": {"get": {"operationId": "listPets"}}}))


def test_swagger_2_says_where_by_host_and_base_path() -> None:
    facts = read({"swagger": "2.0", "host": "api.shop.dev:8443", "basePath": "v1/", "paths": {"/pets": {"get": {}}}})
    assert lines(facts)[0] == "at\tapi.shop.dev\t/v1"


def test_hosts_that_the_operator_names_stand_in_place_of_the_documents_own() -> None:
    facts = read(openapi({"/pets": {"get": {}}}, servers=[{"url": "/v1"}]), hosts=("*.shop.dev", "localhost"))
    assert lines(facts)[0] == "at\t*.shop.dev,localhost\t/v1"
    with pytest.raises(BadDocument, match="the host"):
        read(openapi({"/pets": {"get": {}}}), hosts=("no host",))


def test_a_users_document_never_lowers_a_kind_and_its_words_raise_it() -> None:
    facts = read(
        openapi(
            {
                "/search": {"post": {"operationId": "search"}},
                "/pets/{id}/delete": {"get": {"operationId": "x"}},
                "/jobs": {"post": {"operationId": "runJob"}},
            }
        )
    )
    kinds = {operation.template: operation.kind for section in facts.sections for operation in section.operations}
    assert kinds == {"/search": Kind.WRITE, "/pets/{id}/delete": Kind.DELETE, "/jobs": Kind.EXECUTE}


def test_what_nobody_could_match_is_left_out_and_noted() -> None:
    facts = read(openapi({"/a//b": {"get": {}}, "/a": {"get": {}}, "/b": {"get": {"servers": [{"url": "http://localhost"}]}}}))
    assert [line.split("\t")[2] for line in lines(facts)] == ["/v1", "/a"]
    assert facts.notes == (
        "paths./a//b.get: left out: an empty segment or a dot segment",
        "paths./b.get: left out: 'localhost' is no full host name; name the host",
    )


def test_notes_are_few() -> None:
    facts = read(openapi({f"/a//{i}": {"get": {}} for i in range(100)} | {"/a": {"get": {}}}))
    assert len(facts.notes) == MAX_NOTES + 1
    assert facts.notes[-1] == "and 80 more such notes"


def test_operations_of_one_name_and_place_are_one_of_the_strictest_kind() -> None:
    facts = read(openapi({"/a": {"get": {"operationId": "a"}}}, **{"x-ms-paths": {"/a#x": {"get": {"operationId": "a"}}}}))
    assert facts.sections[0].operations == (Operation(method="GET", template="/a", kind=Kind.READ, operation="a"),)


def test_prose_of_a_document_is_one_line_of_the_facts() -> None:
    document = openapi({"/a": {"get": {}}})
    document["info"] = {"title": "A\tshop\n\u202efor all" + " x" * 400, "license": {"name": ["no"]}}
    facts = read(document)
    assert facts.title.startswith("A shop for all x x")
    assert facts.licence == "not said"


def test_a_name_that_no_catalog_can_have_is_refused() -> None:
    with pytest.raises(BadDocument, match="no name of a service"):
        read_openapi(json.dumps(openapi({"/a": {"get": {}}})), service="http", source="x", date="2026-09-30")


KEYS = """
    $ref get post parameters name in path required servers url variables enum default x operationId paths /a/{b} x-ms-paths
"""
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["https://a.dev", "/a/{b}", "3.0.0"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS.split()) | st.text(max_size=10),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(paths=ANYTHING, servers=ANYTHING, swagger=st.booleans())
def test_any_document_is_read_or_refused(paths: Any, servers: Any, swagger: bool) -> None:
    version = {"swagger": "2.0", "host": servers} if swagger else {"openapi": "3.0.0", "servers": servers}
    try:
        facts = read(json.dumps({**version, "paths": paths}, allow_nan=False) if _finite(paths) and _finite(servers) else "{}")
    except BadDocument:
        return
    assert parse_facts(print_facts(facts)).sections


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_are_read_or_refused(document: bytes | str) -> None:
    with pytest.raises(BadDocument):
        read(document)


def _finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
