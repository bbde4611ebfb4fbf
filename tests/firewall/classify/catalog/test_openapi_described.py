from typing import Any

from firewall.classify.catalog.openapi_walk import describe


def templates(paths: dict[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = describe({"openapi": "3.0.0", "servers": [{"url": "https://api.shop.dev"}], "paths": paths})
    return {each.name: (each.template, each.headers) for each in found.operations}


def operation(name: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "parameters": list(parameters)}


def needed(name: str, *values: Any, place: str = "query") -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "schema": {"enum": list(values)} if values else {}}


def test_operations_on_one_path_are_told_apart_by_what_not_all_need() -> None:
    version = needed("Version", "1")
    found = templates(
        {
            "/#Action=Get": {"get": operation("Get", needed("Action", "Get"), version)},
            "/#Action=Put": {"get": operation("Put", needed("Action", "Put"), version)},
            "/": {"get": operation("Plain", version)},
        }
    )
    assert found == {"Get": ("/?Action=Get", ()), "Put": ("/?Action=Put", ()), "Plain": ("/", ())}


def test_names_of_parameters_do_not_tell_paths_apart() -> None:
    found = templates({"/{a}": {"get": operation("a", needed("acl", True))}, "/{b}#x": {"get": operation("b")}})
    assert found == {"a": ("/{a}?acl", ()), "b": ("/{b}", ())}


def test_header_fields_tell_apart_too() -> None:
    found = templates(
        {
            "/a": {"put": operation("put")},
            "/a#copy": {"put": operation("copy", needed("X-Copy-Source", place="header"))},
        }
    )
    assert found == {"put": ("/a", ()), "copy": ("/a", ("x-copy-source",))}


def test_a_lone_operation_needs_nothing() -> None:
    assert templates({"/a": {"get": operation("a", needed("q"))}}) == {"a": ("/a", ())}
    assert templates({"/a#q=1": {"get": operation("a", needed("q", "1"))}}) == {"a": ("/a", ())}


def test_a_fragment_of_a_field_that_is_not_declared_is_never_sent() -> None:
    found = templates({"/#Action=A": {"post": operation("A")}, "/#Action=B": {"post": operation("B")}})
    assert found == {"A": ("/", ()), "B": ("/", ())}
