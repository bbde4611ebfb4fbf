"""Agents and their tokens: shown once, stored as hashes, ended one by one or all at once."""

import re
from typing import Any

import pytest

from control_api.routes.agents import new_secret

pytestmark = pytest.mark.asyncio


async def works(api: Any, token: str, name: str = "bot") -> bool:
    reply = await api.call("GET", "/v1/actions", who="", headers={"X-Agent-Id": name, "X-Agent-Key": token})
    assert reply.status in {200, 401}
    return bool(reply.status == 200)


async def test_a_new_agent_gets_a_token_and_a_proxy_url_once(api: Any) -> None:
    created = await api.call("POST", "/v1/agents", {"name": "bot"})
    assert created.status == 201
    token = created.body["token"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert created.body["proxy_url"] == f"http://bot:{token}@127.0.0.1:8080"
    assert await works(api, token)
    assert await works(api, token, created.body["id"])
    assert not await works(api, token, "build-bot")
    listed = await api.call("GET", "/v1/agents")
    assert token not in str(listed.body)
    assert listed.body["data"][0]["name"] == "bot"


async def test_a_name_is_taken_once(api: Any) -> None:
    assert (await api.call("POST", "/v1/agents", {"name": "bot"})).status == 201
    assert (await api.call("POST", "/v1/agents", {"name": "bot"})).status == 409


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a@b", "../x", "é", "-x", "x" * 64])
async def test_a_name_that_does_not_fit_into_a_url_is_refused(api: Any, name: str) -> None:
    assert (await api.call("POST", "/v1/agents", {"name": name})).status == 422


async def test_rotating_ends_every_older_token(api: Any, wait_until: Any) -> None:
    created = (await api.call("POST", "/v1/agents", {"name": "bot"})).body
    further = (await api.call("POST", f"/v1/agents/{created['id']}/tokens", {})).body
    rotated = (await api.call("POST", f"/v1/agents/{created['id']}/rotate", {})).body
    assert await works(api, rotated["token"])
    for old in (created, further):
        await wait_until(lambda old=old: _not(works(api, old["token"])))


async def test_a_further_token_ends_alone(api: Any, wait_until: Any) -> None:
    created = (await api.call("POST", "/v1/agents", {"name": "bot"})).body
    path = f"/v1/agents/{created['id']}/tokens"
    further = (await api.call("POST", path, {"expires_in": 60})).body
    assert further["expires_at"] is not None
    assert await works(api, further["token"])
    assert (await api.call("DELETE", f"{path}/{further['token_id']}")).status == 200
    await wait_until(lambda: _not(works(api, further["token"])))
    assert await works(api, created["token"])
    assert (await api.call("DELETE", f"{path}/{further['token_id']}")).status == 404
    assert (await api.call("DELETE", f"/v1/agents/{api.agent_id}/tokens/{created['token_id']}")).status == 404


async def test_a_disabled_agent_is_out(api: Any, wait_until: Any) -> None:
    created = (await api.call("POST", "/v1/agents", {"name": "bot"})).body
    assert (await api.call("POST", f"/v1/agents/{created['id']}/disable", {})).status == 200
    await wait_until(lambda: _not(works(api, created["token"])))
    assert (await api.call("POST", f"/v1/agents/{created['id']}/disable", {})).status == 409
    assert (await api.call("POST", f"/v1/agents/{created['id']}/tokens", {})).status == 409
    shown = (await api.call("GET", "/v1/agents")).body["data"][0]
    assert (shown["enabled"], shown["tokens"]) == (False, [])


async def test_every_change_stands_in_the_chain_with_who_did_it(api: Any) -> None:
    created = (await api.call("POST", "/v1/agents", {"name": "bot"})).body
    await api.call("POST", f"/v1/agents/{created['id']}/rotate", {})
    await api.call("POST", f"/v1/agents/{created['id']}/disable", {})
    for event in ("agent.created", "agent.rotated", "agent.disabled"):
        entry = (await api.entries(event))[0]
        assert (entry["agent"], entry["by"]) == (created["id"], "admin-person")
        assert created["token"] not in str(entry)


async def test_an_agent_that_is_not_there_is_404(api: Any) -> None:
    for verb in ("rotate", "disable", "tokens"):
        assert (await api.call("POST", f"/v1/agents/agt_{'0' * 32}/{verb}", {})).status == 404


async def test_secrets_are_never_the_same() -> None:
    assert new_secret() != new_secret()


async def _not(answer: Any) -> bool:
    return not await answer
