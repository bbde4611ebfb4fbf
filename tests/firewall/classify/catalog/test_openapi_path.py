from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.classify.catalog.openapi_path import Unreadable, constraint, read_key
from firewall.classify.catalog.template import parse_template


def path(key: str, **parameters: Any) -> str:
    return read_key(key, parameters).path


@pytest.mark.parametrize(
    ("key", "template"),
    [
        ("/pets/{petId}", "/pets/{petId}"),
        ("/", "/"),
        ("", "/"),
        ("pets", "/pets"),
        ("/pets/", "/pets/"),
        ("/a%20b/c", "/a b/c"),
        ("/{user-id}/{$top}", "/{user-id}/{$top}"),
        ("/{user id}", "/{user_id}"),
        ("/{id}/x/{id}", "/{id}/x/{id_2}"),
        ("/{}", "/{value}"),
        ("/{+path}", "/{+path}"),
        ("/{*path}", "/{+path}"),
        ("/{**path}", "/{+path}"),
        ("/{path*}", "/{+path}"),
        ("/{path...}", "/{+path}"),
        ("/{path:.*}", "/{+path}"),
        ("/{path:path}/x", "/{+path}/x"),
        ("/{id:[0-9]+}", "/{id}"),
        ("/{id:int}", "/{id}"),
        ("/{id?}", "/{id}"),
        ("/a{/path}", "/a/{path}"),
        ("/{file}.{ext}", "/{file}.{ext}"),
        ("/{file}{.ext}", "/{file}.{ext}"),
        ("/{name}:cancel", "/{name}:cancel"),
        ("/{a}{b}", "/{a_b}"),
        ("/v1/{name=projects/*/things/**}:run", "/v1/{name=projects/*/things/**}:run"),
        ("/x(id='{id}',n={n})", "/x(id='{id}',n={n})"),
        ("/x/{a}...{b}", "/x/{a}...{b}"),
        ("/pets{?page,size}", "/pets"),
        ("/pets{#part}", "/pets"),
        ("/pre{+path}", "/pre{*path}"),
    ],
)
def test_a_key_is_a_template(key: str, template: str) -> None:
    assert path(key) == template
    parse_template(template)


def test_a_query_is_constraints_and_a_fragment_is_told_apart() -> None:
    key = read_key("/b?acl&x=1&y={y}&z=a b#Action=Get&plain", {})
    assert (key.path, key.query, key.fragment) == ("/b", ("acl", "x=1", "y", "z"), ("Action=Get",))


def test_a_colon_is_a_parameter_only_where_one_is_declared() -> None:
    assert path("/users/:id", id={}) == "/users/{id}"
    assert path("/users/:id") == "/users/:id"


@pytest.mark.parametrize("word", ["x-multi-segment", "x-ms-skip-url-encoding", "allowReserved"])
def test_a_parameter_that_is_said_to_hold_segments_does(word: str) -> None:
    assert path("/contents/{path}", path={word: True}) == "/contents/{+path}"
    assert path("/contents/{path}", path={word: "yes"}) == "/contents/{path}"


@pytest.mark.parametrize(
    "parameter",
    [
        {"x-encoded-slashes": True},
        {"description": "The ID or [URL-encoded path of the project](x)"},
        {"description": "URL encoded name"},
        {"description": "Slashes must be replaced with `%2F`"},
    ],
)
def test_a_parameter_that_is_said_to_be_encoded_may_hold_an_encoded_slash(parameter: dict[str, Any]) -> None:
    assert path("/projects/{id}/issues", id=parameter) == "/projects/{*id}/issues"


def test_a_pattern_of_segments_is_read_as_google_writes_it() -> None:
    pattern = {"schema": {"pattern": "^projects/[^/]+/things/.*$"}}
    assert path("/v1/{name}", name=pattern) == "/v1/{name=projects/*/things/**}"
    assert path("/v1/{name}", name={"pattern": "^[a-z/]+$"}) == "/v1/{name}"


def test_names_that_stand_before_the_path_are_taken() -> None:
    assert read_key("/x/{tenant}", {}, {"tenant"}).path == "/x/{tenant_2}"


@pytest.mark.parametrize(
    "key",
    [
        "/a//b",
        "/a/./b",
        "/a/..",
        "//",
        "/{a",
        "/a}",
        "/{a}}",
        "/a%2Fb",
        "/a%3Fb",
        "/a%0Ab",
        "/a\nb",
        "/%ff",
        "/" + "x" * 4000,
        "/{a}" * 40,
    ],
)
def test_what_no_request_can_match_is_unreadable(key: str) -> None:
    with pytest.raises((Unreadable, ValueError)):
        read_key(key, {})


def test_a_value_that_would_need_escapes_is_any_value() -> None:
    assert [constraint("a", value) for value in (None, "x.y-z", "a b", "", "ü")] == ["a", "a=x.y-z", "a", "a", "a"]


@given(st.text(alphabet="/{}ab+*?=#:.&%1~ ", max_size=40))
def test_a_key_that_is_read_is_a_template_or_says_why_not(key: str) -> None:
    try:
        found = read_key(key, {})
        template = parse_template(found.path)
    except ValueError:
        return
    assert template.query == ()
