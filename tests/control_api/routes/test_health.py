"""Health while everything is there, and while the database is away; and that it comes back by itself."""

from dataclasses import replace
from typing import Any

import pytest

from tests.control_api.harness import running, settings_for
from tests.control_api.relay import Relay

pytestmark = pytest.mark.asyncio


async def test_ready_names_each_dependency(governed: Any) -> None:
    reply = await governed.call("GET", "/health/ready", who="nobody")
    assert (reply.status, reply.body["status"]) == (200, "ok")
    assert set(reply.body["dependencies"]) == {"postgres", "opa", "policy"}
    assert all(dependency["ok"] for dependency in reply.body["dependencies"].values())


async def test_without_the_database_it_is_alive_not_ready_and_recovers_by_itself(
    database: Any, tmp_path: Any, wait_until: Any
) -> None:
    relay = Relay(database.app_dsn)
    await relay.start()
    settings = settings_for(replace(database, app_dsn=relay.dsn), tmp_path)
    async with running(settings, database) as api:
        await relay.stop()
        assert (await api.call("GET", "/health/live", who="nobody")).status == 200
        ready = await api.call("GET", "/health/ready", who="nobody")
        assert (ready.status, ready.body["dependencies"]["postgres"]["ok"]) == (503, False)
        calls: Any = (("GET", "/v1/agents", None), ("POST", "/v1/agents", {"name": "x"}), ("GET", "/v1/ca.pem", None))
        for method, path, body in calls:
            reply = await api.call(method, path, body)
            assert (reply.status, reply.body["type"]) == (503, "urn:aaf:problem:ledger-unavailable")
            assert reply.headers["Content-Type"] == "application/problem+json"
            assert "Retry-After" in reply.headers
        await relay.start()

        async def back() -> bool:
            return bool((await api.call("GET", "/health/ready", who="nobody")).status == 200)

        await wait_until(back)
        assert (await api.call("POST", "/v1/agents", {"name": "after"})).status == 201
        assert (await api.call("POST", "/v1/audit/verify", {})).body["ok"]
    await relay.stop()
