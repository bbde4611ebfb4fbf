"""Every route with every role: an unlisted pair is a 403, nobody at all a 401."""

import asyncio
from typing import Any

import pytest

from control_api.callers import Role
from control_api.routes import ROUTES

pytestmark = pytest.mark.asyncio
ABSENT = {"{id}": "0" * 32, "{token_id}": "tok_" + "0" * 32, "{service}": "absent"}
PREFIX = {"actions": "act_", "agents": "agt_", "approvals": "apr_", "keys": "key_"}


def path_of(template: str) -> str:
    path = template.replace("{token_id}", ABSENT["{token_id}"]).replace("{service}", ABSENT["{service}"])
    return path.replace("{id}", PREFIX.get(template.split("/")[2], "") + ABSENT["{id}"]) if "{id}" in path else path


async def status(api: Any, route: Any, who: str) -> int:
    path = path_of(route.path)
    if route.path == "/v1/events":
        headers = api.keys.get(who, {})
        async with api.session.get(api.url + path, headers=headers) as response:
            return int(response.status)
    reply = await api.call(route.method, path, {} if route.body is not None else None, who=who)
    return int(reply.status)


async def test_every_route_refuses_every_role_it_does_not_list(api: Any) -> None:
    for route in ROUTES:
        for role in Role:
            found = await status(api, route, role.value)
            if role in route.roles:
                assert found not in {401, 403}, f"{role} {route.method} {route.path}: {found}"
            else:
                expected = 401 if role is Role.NOBODY else 403
                assert found == expected, f"{role} {route.method} {route.path}: {found}"


async def test_a_wrong_key_is_401_and_says_which_scheme_is_wanted(api: Any) -> None:
    agent = {"X-Agent-Id": "build-bot", "X-Agent-Key": "x"}
    for headers in ({"Authorization": "Bearer nope"}, {"Authorization": "Basic eA=="}, agent):
        reply = await api.call("GET", "/v1/actions", who="nobody", headers=headers)
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_revoked_key_ends_at_once(api: Any) -> None:
    created = await api.call("POST", "/v1/keys", {"role": "viewer", "name": "Vera"})
    headers = {"Authorization": f"Bearer {created.body['key']}"}
    assert (await api.call("GET", "/v1/agents", who="", headers=headers)).status == 200
    assert (await api.call("DELETE", f"/v1/keys/{created.body['id']}")).status == 200
    assert (await api.call("GET", "/v1/agents", who="", headers=headers)).status == 401
    assert (await api.call("DELETE", f"/v1/keys/{created.body['id']}")).status == 404


async def test_a_key_expires(api: Any) -> None:
    created = await api.call("POST", "/v1/keys", {"role": "viewer", "name": "Vera", "expires_in": 3600})
    headers = {"Authorization": f"Bearer {created.body['key']}"}
    assert (await api.call("GET", "/v1/agents", who="", headers=headers)).status == 200
    await api.sql("update aaf.api_keys set expires_at = now() - interval '1 second' where name = 'Vera'")
    assert (await api.call("GET", "/v1/agents", who="", headers=headers)).status == 401


async def test_an_agents_token_is_a_bearer_too_and_opens_no_more(api: Any) -> None:
    bearer = {"Authorization": f"Bearer {api.keys['agent']['X-Agent-Key']}"}
    assert (await api.call("GET", "/v1/actions", who="", headers=bearer)).status == 200
    for route in ROUTES:
        if Role.AGENT not in route.roles:
            reply = await api.call(
                route.method, path_of(route.path), {} if route.body is not None else None, who="", headers=bearer
            )
            assert reply.status == 403, f"{route.method} {route.path}"
    agents = (await api.call("GET", "/v1/agents")).body["data"]
    agent_id = next(agent["id"] for agent in agents if agent["name"] == api.keys["agent"]["X-Agent-Id"])
    assert (await api.call("POST", f"/v1/agents/{agent_id}/disable", {})).status == 200
    async with asyncio.timeout(20):  # the API hears of it from the database, as every process does
        while (await api.call("GET", "/v1/actions", who="", headers=bearer)).status != 401:
            await asyncio.sleep(0.01)


async def test_both_kinds_of_credential_at_once_are_refused(api: Any) -> None:
    reply = await api.call("GET", "/v1/actions", who="agent", headers=api.keys["admin"])
    assert reply.status == 401


async def test_the_key_itself_is_nowhere_in_the_database(api: Any) -> None:
    created = await api.call("POST", "/v1/keys", {"role": "viewer", "name": "Vera"})
    keys = "select k::text as text from aaf.api_keys k"
    rows = await api.sql(f"{keys} union all select convert_from(body, 'UTF8') from aaf.audit_log")
    assert rows
    assert all(created.body["key"] not in row["text"] for row in rows)
