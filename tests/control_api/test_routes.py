"""The table of routes: who may do what, and that the server does what the table says, pair by pair."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from control_api import app
from control_api.callers import EVERYONE, PEOPLE, Role
from control_api.models import Done
from control_api.route import Answer, Call, Route
from control_api.routes import ROUTES

PUBLIC = {"/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs", "/v1/ca.pem"}
CHANGES_NOTHING = {"/v1/policies/check", "/v1/audit/verify", "/v1/catalogs/classify"}
"""What is asked by POST and is a question all the same."""


def changes() -> list[Route]:
    return [route for route in ROUTES if route.method != "GET" and route.path not in CHANGES_NOTHING]


def test_every_route_lists_its_roles() -> None:
    assert [route.path for route in ROUTES if not route.roles or not route.roles <= EVERYONE] == []


def test_only_what_tells_nothing_of_anyone_needs_no_key() -> None:
    assert {route.path for route in ROUTES if Role.NOBODY in route.roles} == PUBLIC
    assert all(route.method == "GET" for route in ROUTES if route.path in PUBLIC)


def test_an_agent_reaches_its_own_actions_and_nothing_else() -> None:
    reached = {(route.method, route.path) for route in ROUTES if Role.AGENT in route.roles and route.path not in PUBLIC}
    assert reached == {
        ("POST", "/v1/actions"),
        ("GET", "/v1/actions"),
        ("GET", "/v1/actions/{id}"),
        ("POST", "/v1/actions/{id}/start"),
    }


def test_the_token_of_an_opa_opens_the_bundle_and_nothing_else() -> None:
    reached = {route.path for route in ROUTES if Role.BUNDLE in route.roles and route.path not in PUBLIC}
    assert reached == {"/v1/bundles/firewall.tar.gz"}
    (bundle,) = (route for route in ROUTES if route.path in reached)
    assert bundle.roles == {Role.BUNDLE}


def test_who_only_looks_or_audits_changes_nothing() -> None:
    assert [route.path for route in changes() if route.roles & {Role.VIEWER, Role.AUDITOR}] == []


def test_approvers_decide_approvals_and_change_nothing_else() -> None:
    assert {route.path for route in changes() if Role.APPROVER in route.roles} == {
        "/v1/approvals/{id}/approve",
        "/v1/approvals/{id}/deny",
    }


def test_agents_and_keys_are_changed_by_administrators_alone() -> None:
    changed = [route for route in changes() if route.path.startswith(("/v1/agents", "/v1/keys"))]
    assert len(changed) == 7
    assert [route.path for route in changed if route.roles != {Role.ADMIN}] == []


def test_an_administrator_may_do_what_any_person_may() -> None:
    assert [route.path for route in ROUTES if route.roles & PEOPLE and Role.ADMIN not in route.roles] == []


def test_every_post_takes_json_so_that_no_form_of_a_page_can_send_it() -> None:
    assert [route.path for route in ROUTES if (route.body is not None) != (route.method == "POST")] == []


def test_a_row_stands_once_and_has_a_handler_of_its_own() -> None:
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)
    assert len({route.handler for route in ROUTES}) == len(ROUTES)


def test_no_row_hides_behind_an_earlier_one() -> None:
    """The first that matches answers, so a template must not match the text of a later path."""
    hidden = [
        (earlier.path, later.path)
        for number, later in enumerate(ROUTES)
        for earlier in ROUTES[:number]
        if earlier.method == later.method and _matches(earlier.path, later.path)
    ]
    assert hidden == []


def test_a_summary_is_one_line_of_words() -> None:
    assert [route.summary for route in ROUTES if not route.summary[0].isupper() or route.summary.endswith(".")] == []


@pytest.mark.asyncio
async def test_a_handler_is_reached_by_the_roles_that_its_row_lists_and_by_no_other(api: Any, monkeypatch: Any) -> None:
    reached: list[tuple[Role, str, str]] = []

    def spied(route: Route) -> Route:
        async def spy(call: Call) -> Answer:
            reached.append((call.caller.role, route.method, route.path))
            return Answer(content=Done(id="x"))

        return replace(route, handler=spy, query=None, body=None)

    monkeypatch.setattr(app, "ROUTES", tuple(spied(route) for route in ROUTES))
    refused: dict[tuple[Role, str, str], int] = {}
    async with served(api) as url:
        for route in ROUTES:
            for role in Role:
                headers = api.keys.get(role.value, {})
                async with api.session.request(route.method, url + _filled(route.path), headers=headers) as response:
                    if response.status != route.status:
                        refused[role, route.method, route.path] = response.status
    listed = {(role, route.method, route.path) for route in ROUTES for role in route.roles if Role.NOBODY not in route.roles}
    public = [row for row in reached if row[2] in PUBLIC]
    assert set(reached) - set(public) == listed
    assert [row[0] for row in public] == [Role.NOBODY] * len(PUBLIC) * len(Role), "what needs no key looks none up"
    pairs = {(role, route.method, route.path) for route in ROUTES for role in Role}
    assert refused == {pair: 401 if pair[0] is Role.NOBODY else 403 for pair in pairs - listed if pair[2] not in PUBLIC}


@pytest.mark.asyncio
async def test_a_method_that_a_path_does_not_list_is_405_and_says_which_it_does(api: Any) -> None:
    for path in sorted({route.path for route in ROUTES}):
        listed = {route.method for route in ROUTES if route.path == path}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"} - listed:
            reply = await api.call(method, _filled(path))
            assert (reply.status, reply.headers["Allow"]) == (405, ", ".join(sorted(listed))), f"{method} {path}"


@asynccontextmanager
async def served(api: Any) -> AsyncIterator[str]:
    runner = web.AppRunner(app.build(api.context), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _filled(template: str) -> str:
    return template.replace("{id}", "x").replace("{token_id}", "x").replace("{service}", "x")


def _matches(template: str, path: str) -> bool:
    parts, given = template.split("/"), path.split("/")
    return len(parts) == len(given) and all(part.startswith("{") or part == other for part, other in zip(parts, given, strict=True))
