"""Users' catalogs: added from documents, in force at once, never by an agent; and what they say of a request."""

import asyncio
import io
import json
from typing import Any

import pytest

from control_api import reading
from control_api.routes.catalogs import BODY_BYTES
from firewall.action import Risk

pytestmark = pytest.mark.asyncio

DOCUMENT = """openapi: 3.0.0
info: {title: The shop, version: '1', license: {name: MIT}}
servers: [{url: 'https://api.shop.com/v1'}]
paths:
  /orders/{id}:
    get: {operationId: orders.get, responses: {}}
    delete: {operationId: orders.remove, responses: {}}
"""
MISUSED = """openapi: 3.0.0
info: {title: x, version: '1'}
servers: [{url: 'https://a.shop.com'}, {url: '/here'}]
paths: {/a: {get: {operationId: a.get, responses: {}}}}
"""


TOLD = ("id", "agent", "name", "kind", "method", "methods", "host", "port", "path", "query")


async def added(api: Any, service: str = "shop", document: str = DOCUMENT, **more: Any) -> Any:
    return await api.call("POST", "/v1/catalogs", {"service": service, "document": document, **more})


async def named(api: Any, url: str, method: str = "GET", **more: Any) -> str:
    reply = await api.call("POST", "/v1/catalogs/classify", {"method": method, "url": url, **more})
    assert reply.status == 200, reply.body
    return str(reply.body["name"])


async def test_a_catalog_is_added_listed_shown_and_removed(api: Any) -> None:
    made = await added(api, source="shop.yaml")
    assert made.status == 201, made.body
    assert made.body == {
        "service": "shop", "revision": made.body["revision"], "title": "The shop", "source": "shop.yaml",
        "date": made.body["date"], "licence": "MIT", "operations": 2, "hosts": ["api.shop.com"], "shipped": False,
        "added_by": "admin-person", "added_at": made.body["added_at"], "notes": [],
    }  # fmt: skip
    listed = (await api.call("GET", "/v1/catalogs", who="viewer")).body["data"]
    assert listed[0] == {name: value for name, value in made.body.items() if name != "notes"}
    shown = (await api.call("GET", "/v1/catalogs/shop", who="viewer")).body
    assert shown["facts"].startswith("aaf-facts/1\nservice\tshop\n")
    assert {name: value for name, value in shown.items() if name != "facts"} == made.body
    assert (await api.call("DELETE", "/v1/catalogs/shop")).body == {"id": "shop", "done": True}
    for method in ("GET", "DELETE"):
        assert (await api.call(method, "/v1/catalogs/shop")).status == 404
    (entry,), (gone,) = await api.entries("catalog.added"), await api.entries("catalog.removed")
    assert entry["catalog"] == gone["catalog"] == f"shop@{made.body['revision']}"
    assert (entry["by"], entry["hosts"], entry["operations"]) == ("admin-person", ["api.shop.com"], 2)


async def test_those_that_ship_are_listed_behind_users_and_page_by_page(api: Any) -> None:
    await added(api)
    every = (await api.call("GET", "/v1/catalogs?limit=1000")).body
    assert every["next_cursor"] is None
    shipped = every["data"][1:]
    assert [row["service"] for row in shipped] == sorted(row["service"] for row in shipped)
    assert all(row["shipped"] and row["added_by"] is None and row["source"] and row["date"] and row["licence"] for row in shipped)
    seen, cursor = [], ""
    while cursor is not None:
        page = (await api.call("GET", f"/v1/catalogs?limit=2{cursor and '&cursor=' + cursor}")).body
        seen += page["data"]
        cursor = page["next_cursor"]
    assert seen == every["data"]
    name = shipped[0]["service"]
    assert (await api.call("GET", f"/v1/catalogs/{name}")).body["operations"] == shipped[0]["operations"]
    refused = await api.call("DELETE", f"/v1/catalogs/{name}")
    assert (refused.status, refused.body["detail"]) == (404, "it came with the product, and stays")


async def test_requests_are_named_by_it_as_soon_as_it_is_there_and_no_longer(api: Any, wait_until: Any) -> None:
    url = "https://api.shop.com/v1/orders/7"

    async def is_named(name: str) -> bool:
        return await named(api, url) == name

    assert await is_named("http:GET")
    await added(api)
    await wait_until(lambda: is_named("shop:orders.get"))
    await added(api, document=DOCUMENT.replace("orders.get", "orders.read"))
    await wait_until(lambda: is_named("shop:orders.read"))
    await api.call("DELETE", "/v1/catalogs/shop")
    await wait_until(lambda: is_named("http:GET"))


async def test_the_same_text_again_changes_nothing_and_another_takes_its_place(api: Any) -> None:
    first = await added(api)
    again = await added(api)
    assert (again.status, again.body) == (200, first.body)
    other = await added(api, document=DOCUMENT.replace("orders.get", "orders.read"))
    assert (other.status, other.body["revision"] == first.body["revision"]) == (201, False)
    assert len(await api.entries("catalog.added")) == 2
    assert sum(row["service"] == "shop" for row in (await api.call("GET", "/v1/catalogs")).body["data"]) == 1


async def test_hosts_may_be_given_in_place_of_the_documents_own(api: Any) -> None:
    made = await added(api, hosts=["*.internal.shop", "shop.internal"])
    assert made.body["hosts"] == ["*.internal.shop", "shop.internal"]


async def test_facts_are_taken_as_they_are(api: Any) -> None:
    await added(api)
    facts = (await api.call("GET", "/v1/catalogs/shop")).body["facts"]
    await api.call("DELETE", "/v1/catalogs/shop")
    made = await added(api, document=facts)
    assert made.status == 201
    assert (await api.call("GET", "/v1/catalogs/shop")).body["facts"] == facts


async def test_what_was_left_out_of_a_document_is_said(api: Any) -> None:
    made = await added(api, document=MISUSED)
    assert (made.status, len(made.body["notes"])) == (201, 1)
    assert "/here" in made.body["notes"][0]


@pytest.mark.parametrize("who", ["agent", "viewer", "auditor", "approver", "bundle", ""])
async def test_nobody_but_an_administrator_changes_what_requests_are_called(api: Any, who: str) -> None:
    status = 403 if who else 401
    body = {"service": "shop", "document": DOCUMENT}
    assert (await api.call("POST", "/v1/catalogs", body, who=who)).status == status
    await added(api)
    assert (await api.call("DELETE", "/v1/catalogs/shop", who=who)).status == status
    assert len(await api.entries("catalog.added")) == 1
    assert await api.entries("catalog.removed") == []


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/shop"), ("POST", "/classify")])
async def test_an_agent_learns_nothing_of_catalogs(api: Any, method: str, path: str) -> None:
    body = {"method": "GET", "url": "https://a.test"} if method == "POST" else None
    assert (await api.call(method, f"/v1/catalogs{path}", body, who="agent")).status == 403


def facts(service: str = "shop", host: str = "a.test") -> str:
    return (
        f"aaf-facts/1\nservice\t{service}\ntitle\tt\nsource\ts\ndate\t2026-01-01\nlicence\tl\nat\t{host}\t/\nop\tGET\t/a\tread\t\n"
    )


BOMB = "a: &a [x,x]\n" + "".join(f"{new}: &{new} [*{old},*{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True))
BAD = {
    "yaml": ("a: [", "line 2", "not YAML"),
    "alias-bomb": (BOMB, "", ""),
    "no-api": ('{"hello": 1}', "", ""),
    "no-operation": ('{"openapi": "3.0.0", "servers": [{"url": "https://a.shop.com"}], "paths": {}}', "paths", ""),
    "twice": ('{"openapi": "3.0.0",\n"openapi": "3.0.0"}', "line 2", ""),
    "deep": ("[" * 100_000, "line 1", "nested"),
    "no-host": ("openapi: 3.0.0\npaths: {/a: {get: {}}}\n", "servers", "name the host"),
    "foreign-facts": (facts("bank"), "line 2", "not of shop"),
    "bad-facts": ("aaf-facts/1\nservice\tshop\ntitle\n", "line 3", "title"),
    "facts-of-our-own-places": (facts(host="s3.aws.invalid"), "line 1", "names no host"),
    "facts-of-everybody": (facts(host="**"), "line 1", "names no host"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_document_that_cannot_be_read_is_refused_with_its_place(api: Any, name: str) -> None:
    document, where, why = BAD[name]
    reply = await added(api, document=document)
    assert reply.status == 422, reply.body
    problem = reply.body["errors"][0]
    assert problem["path"].startswith(where)
    assert why in problem["message"]
    assert why in reply.body["detail"]
    assert await api.entries("catalog.added") == []


@pytest.mark.parametrize(
    "change",
    [
        {"service": "Shop"},
        {"service": "../x"},
        {"service": ""},
        {"service": "http"},
        {"service": "git"},
        {"service": "mcp"},
        {"service": "classify"},
        {"document": ""},
        {"document": 5},
        {"hosts": []},
        {"hosts": ["**"]},
        {"hosts": ["a.*"]},
        {"hosts": ["a.test:443"]},
        {"hosts": ["https://a.test"]},
        {"url": "https://a.test/openapi.json"},
        {"source": "a\u202eb"},
    ],
)
async def test_what_is_not_asked_for_in_the_right_shape_is_refused(api: Any, change: dict[str, Any]) -> None:
    reply = await api.call("POST", "/v1/catalogs", {"service": "shop", "document": DOCUMENT, **change})
    assert reply.status == 422, reply.body


async def test_a_document_that_is_too_large_is_refused_before_it_is_read(api: Any) -> None:

    async def sends(path: str, length: int) -> int:
        data = io.BytesIO(json.dumps({"service": "shop", "document": "x" * length}).encode())
        reply = await api.call("POST", path, None, data=data, headers={"Content-Type": "application/json"})
        return int(reply.status)

    assert await sends("/v1/catalogs", 17 << 20) == 422
    assert await sends("/v1/catalogs", BODY_BYTES) == 413
    assert await sends("/v1/keys", 2 << 20) == 413, "no other route takes so much"


async def test_what_takes_too_long_is_given_up_and_the_api_answers_meanwhile(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.01)
    slow = asyncio.create_task(added(api))
    assert (await api.call("GET", "/v1/keys")).status == 200
    reply = await slow
    assert reply.status == 422
    assert "not read within" in reply.body["detail"]


async def test_one_document_is_read_at_a_time(api: Any) -> None:
    async with api.context.reading:
        reply = await added(api)
    assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
    assert (await added(api)).status == 201


async def test_a_users_catalog_lowers_nothing(api: Any, wait_until: Any) -> None:
    soft = DOCUMENT.replace("delete:", "post:").replace("orders.remove", "orders.search")
    await added(api, document=soft)
    url = "https://api.shop.com/v1/orders/7"

    async def is_named() -> bool:
        return await named(api, url, "POST") == "shop:orders.search"

    await wait_until(is_named)
    reply = await api.call("POST", "/v1/catalogs/classify", {"method": "POST", "url": url})
    assert reply.body["kind"] == "write", "the method is the floor"


@pytest.mark.parametrize(
    ("method", "template", "url"),
    [
        ("DELETE", "/repos/{a}/{b}", "https://api.github.com/repos/o/r"),
        ("POST", "/repos/{a}/{b}/issues", "https://api.github.com/repos/o/r/issues"),
        ("GET", "/repos/{a}/{b}", "https://api.github.com/repos/o/r"),
        ("PUT", "/made/{up}", "https://api.github.com/made/up"),
    ],
)
async def test_a_users_catalog_renames_what_ships_and_makes_neither_kind_nor_risk_milder(
    api: Any, wait_until: Any, method: str, template: str, url: str
) -> None:
    async def told() -> Any:
        return (await api.call("POST", "/v1/catalogs/classify", {"method": method, "url": url})).body

    before = await told()
    text = facts(host="api.github.com").replace("op\tGET\t/a\tread\t", f"op\t{method}\t{template}\tread\tharmless")
    assert (await added(api, document=text)).status == 201

    async def is_renamed() -> bool:
        return bool((await told())["name"] == "shop:harmless")

    await wait_until(is_renamed)
    after = await told()
    assert after["kind"] == before["kind"]
    assert list(Risk).index(Risk(after["risk"])) >= list(Risk).index(Risk(before["risk"]))


async def test_no_catalog_of_a_user_renames_a_protocol(api: Any, wait_until: Any) -> None:
    push = {"method": "POST", "url": "https://git.shop.com/o/r.git/git-receive-pack"}
    text = facts(host="git.shop.com").replace("op\tGET\t/a\tread\t", "op\tPOST\t/o/r.git/git-receive-pack\tread\tharmless")
    text = text.replace("harmless\n", "harmless\nop\tPOST\t/sign\twrite\tsign\n")
    assert (await added(api, document=text)).status == 201

    async def in_force() -> bool:
        return await named(api, "https://git.shop.com/sign", "POST") == "shop:sign"

    await wait_until(in_force)
    reply = await api.call("POST", "/v1/catalogs/classify", push)
    assert reply.body["kind"] != "read"


async def test_an_action_is_told_and_nothing_is_recorded(api: Any) -> None:
    body = {"method": "POST", "url": "https://a.test/x?y=1", "headers": {"X-HTTP-Method-Override": ["DELETE"]}, "body": {"a": 1}}
    reply = await api.call("POST", "/v1/catalogs/classify", body, who="viewer")
    assert reply.status == 200
    assert {name: reply.body[name] for name in TOLD} == {
        "id": "", "agent": "", "name": "http:POST", "kind": "delete", "method": "POST", "methods": ["POST", "DELETE"],
        "host": "a.test", "port": 443, "path": "/x", "query": "y=1",
    }  # fmt: skip
    assert await api.entries("action.decided") == []


@pytest.mark.parametrize("given", [{"body": "_method=DELETE"}, {"body_base64": "X21ldGhvZD1ERUxFVEU="}])
async def test_a_body_counts_however_it_is_given(api: Any, given: dict[str, str]) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = {"method": "POST", "url": "https://a.test/", "headers": form, **given}
    assert (await api.call("POST", "/v1/catalogs/classify", body)).body["methods"] == ["POST", "DELETE"]


@pytest.mark.parametrize(
    "body",
    [
        {"method": "GET"},
        {"url": "https://a.test"},
        {"method": "G T", "url": "https://a.test"},
        {"method": "GET", "url": "ftp://a.test"},
        {"method": "GET", "url": "https://a.test/a%2Fb"},
        {"method": "GET", "url": "https://a.test", "headers": {"a b": "c"}},
        {"method": "GET", "url": "https://a.test", "headers": {"a": "b\r\nc: d"}},
        {"method": "POST", "url": "https://a.test", "body": "a", "body_base64": "YQ=="},
        {"method": "POST", "url": "https://a.test", "body_base64": "YQ"},
    ],
)
async def test_what_is_no_request_is_refused(api: Any, body: dict[str, Any]) -> None:
    assert (await api.call("POST", "/v1/catalogs/classify", body)).status == 422
