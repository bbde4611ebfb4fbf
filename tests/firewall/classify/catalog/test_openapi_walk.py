from typing import Any

import pytest

from firewall.classify.catalog import openapi_walk as module
from firewall.classify.catalog.openapi_described import Described, Description
from firewall.classify.catalog.openapi_text import BadDocument, read_tree
from firewall.classify.catalog.openapi_walk import describe


def described(paths: Any, **more: Any) -> Description:
    return describe({"openapi": "3.1.0", "servers": [{"url": "https://api.shop.dev"}], "paths": paths, **more})


def names(found: Description) -> list[tuple[str, str, str]]:
    return [(each.method, each.template, each.name) for each in found.operations]


def only(paths: Any, **more: Any) -> Described:
    (found,) = described(paths, **more).operations
    return found


def test_every_method_is_read_and_other_keys_are_not() -> None:
    item: dict[str, Any] = {method: {} for method in module.METHODS} | {
        "summary": "x",
        "parameters": [],
        "x-y": {},
        "additionalOperations": {"COPY": {}},
    }
    assert [method for method, _, _ in names(described({"/a": item, "x-b": {"get": {}}}))] == [
        "GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "QUERY", "COPY",
    ]  # fmt: skip


def test_servers_of_an_operation_beat_the_paths_and_those_the_documents() -> None:
    paths = {
        "/a": {"get": {}, "servers": [{"url": "https://path.shop.dev/p"}]},
        "/b": {"get": {"servers": [{"url": "https://op.shop.dev/o"}]}, "servers": [{"url": "https://path.shop.dev/p"}]},
        "/c": {"get": {}},
    }
    places = [(place.hosts, place.base) for each in described(paths).operations for place in each.places]
    assert places == [(("path.shop.dev",), "/p"), (("op.shop.dev",), "/o"), (("api.shop.dev",), "")]


def test_one_usable_server_is_enough_and_the_others_are_noted() -> None:
    found = described({"/a": {"get": {}}}, servers=[{"url": "http://localhost"}, {"url": "https://api.shop.dev"}])
    assert found.operations[0].places[0].hosts == ("api.shop.dev",)
    assert found.notes == ("servers: left out: 'localhost' is no full host name; name the host",)


def test_servers_of_a_path_that_cannot_be_used_do_not_fall_back_to_others() -> None:
    found = described({"/a": {"get": {}, "servers": [{"url": "http://localhost/x"}]}, "/b": {"get": {}}})
    assert names(found) == [("GET", "/b", "")]


def test_references_within_the_document_are_followed() -> None:
    paths = {
        "/a": {"$ref": "#/components/pathItems/A~1x"},
        "/{id}": {"get": {"parameters": [{"$ref": "#/components/parameters/P"}]}},
    }
    components = {
        "pathItems": {"A/x": {"get": {"operationId": "a"}}},
        "parameters": {"P": {"$ref": "#/components/parameters/Q"}, "Q": {"name": "id", "in": "path", "x-multi-segment": True}},
    }
    assert names(described(paths, components=components)) == [("GET", "/a", "a"), ("GET", "/{+id}", "")]


@pytest.mark.parametrize("reference", ["https://elsewhere.dev/p", "#/nowhere", "#/paths", 3, "#/components/parameters/P"])
def test_a_parameter_that_cannot_be_found_changes_nothing(reference: Any) -> None:
    paths = {"/{id}": {"get": {"parameters": [{"$ref": reference}, "x", None, {"name": "id"}]}}}
    assert only(paths, components={"parameters": {"P": {"$ref": "#/components/parameters/P"}}}).template == "/{id}"


def test_parameters_of_the_operation_beat_those_of_the_path() -> None:
    multi = {"name": "id", "in": "path", "x-multi-segment": True}
    plain = {"name": "id", "in": "path"}
    assert only({"/{id}": {"parameters": [multi], "get": {"parameters": [plain]}}}).template == "/{id}"
    assert only({"/{id}": {"parameters": [multi], "get": {}}}).template == "/{+id}"


def test_paths_of_azure_are_read_beside_the_others() -> None:
    found = described({"/a": {"get": {}}}, **{"x-ms-paths": {"/a?comp=list": {"get": {"operationId": "list"}}}})
    assert names(found) == [("GET", "/a", ""), ("GET", "/a?comp=list", "list")]


def test_names_are_the_vendors_own_word_for_word() -> None:
    found = described({"/a": {"get": {"operationId": " repos/get "}, "put": {"operationId": 3}, "post": {"operationId": {"a": 1}}}})
    assert [name for _, _, name in names(found)] == ["repos/get", "3", ""]
    assert only({"/a": {"get": {"operationId": "x" * 301}}}).name == ""


def test_the_same_name_twice_stays_twice() -> None:
    assert names(described({"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}})) == [
        ("GET", "/a", "x"),
        ("GET", "/b", "x"),
    ]


def test_a_template_that_no_catalog_can_hold_is_left_out() -> None:
    found = described({"/a" + "/b" * 100: {"get": {}}, "/b": {"get": {}}})
    assert names(found) == [("GET", "/b", "")]
    assert "left out" in found.notes[0]


def test_there_are_so_many_operations_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_OPERATIONS", 10)
    with pytest.raises(BadDocument, match=r"paths\./10: more than 10 operations"):
        described({f"/{i}": {"get": {}} for i in range(11)})


def test_what_aliases_repeat_costs_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WORK", 10_000)
    wide = "[" + ", ".join(f"{{name: p{i}, in: query}}" for i in range(1000)) + "]"
    paths = "".join(f"  /{i}: {{get: {{parameters: *wide}}}}\n" for i in range(20))
    text = f"openapi: 3.0.0\nservers: [{{url: 'https://api.shop.dev'}}]\nx: &wide {wide}\npaths:\n{paths}"
    with pytest.raises(BadDocument, match="names too much"):
        describe(read_tree(text))


def test_there_are_so_many_servers_and_no_more() -> None:
    with pytest.raises(BadDocument, match="at most 100 servers"):
        described({"/a": {"get": {}}}, servers=[{"url": f"https://a{i}.shop.dev"} for i in range(101)])


def test_azures_host_template_is_a_host() -> None:
    tree = {"swagger": "2.0", "x-ms-parameterized-host": {"hostTemplate": "{account}.blob.shop.dev"}, "paths": {"/a": {"get": {}}}}
    assert describe(tree).operations[0].places[0].hosts == ("*.blob.shop.dev",)
