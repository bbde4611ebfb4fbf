"""The control API as `main` builds it, and the real OPA that pulls its bundle."""

import asyncio
import base64
import hashlib
import secrets
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from control_api.context import Context
from control_api.main import bundle_token, open_context, sealer_of, serving
from firewall.audit.entry import Event
from firewall.audit.events import agent_event, key_event
from firewall.ids import AgentId, new_id
from firewall.ports import CreateAgent, CreateKey, Item, Lost
from firewall.settings import Settings, load

POLICY = """
version: 1
default: deny
rules:
  - id: reads
    effect: allow
    services: [files]
    operations: [read]
    reason: Reads are fine
  - id: writes
    effect: require_approval
    services: [files]
    operations: [write]
    reason: Writes are asked for
  - id: deploys
    effect: require_approval
    services: [files]
    operations: [deploy]
    approval: {quorum: 2, expires_in: 1h}
  - id: quick
    effect: require_approval
    services: [files]
    operations: [quick]
    approval: {expires_in: 1s, grant_for: 1s}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    body: Any
    headers: Any


@dataclass(slots=True, kw_only=True)
class Api:
    """A client that speaks for whoever is named: `admin`, another role, `agent` or nobody."""

    url: str
    context: Context
    database: Any
    bundle_token: str
    session: aiohttp.ClientSession
    keys: dict[str, dict[str, str]] = field(default_factory=dict)
    agent_id: str = ""

    async def call(self, method: str, path: str, body: Any = None, *, who: str = "admin", **more: Any) -> Reply:
        headers = {**self.keys.get(who, {}), **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        async with self.session.request(method, self.url + path, headers=headers, **more) as response:
            is_json = "json" in response.content_type
            content = await response.json() if is_json else await response.read()
            return Reply(status=response.status, body=content, headers=response.headers.copy())

    async def submit(self, operation: str, *, wait: float = 0, who: str = "agent", **body: Any) -> Reply:
        return await self.call("POST", f"/v1/actions?wait={wait}", {"tool": "files", "operation": operation, **body}, who=who)

    async def key(self, role: str, name: str) -> dict[str, str]:
        key = secrets.token_urlsafe(32)
        key_id = new_id("key", time.time_ns() // 1_000_000)
        change = CreateKey(key_id=key_id, name=name, role=role, key_hash=hashlib.sha256(key.encode()).digest())
        entry = key_event(Event.KEY_CREATED, key_id, name=name, role=role, by="test")
        assert not isinstance(await self.context.ledger.append(Item(drafts=(entry,), change=change)), Lost)
        return {"Authorization": f"Bearer {key}"}

    async def agent(self, name: str) -> tuple[str, dict[str, str]]:
        token, now = secrets.token_urlsafe(32), time.time_ns() // 1_000_000
        agent_id = AgentId(new_id("agt", now))
        change = CreateAgent(
            agent_id=agent_id, name=name, token_id=new_id("tok", now), token_hash=hashlib.sha256(token.encode()).digest()
        )
        entry = agent_event(Event.AGENT_CREATED, agent_id, name, by="test")
        assert not isinstance(await self.context.ledger.append(Item(drafts=(entry,), change=change)), Lost)
        return agent_id, {"X-Agent-Id": name, "X-Agent-Key": token}

    async def entries(self, event: str) -> list[dict[str, Any]]:
        reply = await self.call("GET", f"/v1/audit/events?event={event}&limit=1000")
        return [entry["entry"] for entry in reply.body["data"]]

    async def sql(self, text: str, *arguments: Any) -> Any:
        """As the superuser: what the application's role may never do."""
        connection = await asyncpg.connect(self.database.super_dsn)
        try:
            return await connection.fetch(text, *arguments)
        finally:
            await connection.close()


def settings_for(database: Any, tmp_path: Path, **more: str) -> Settings:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    return load(
        {
            "DATABASE_URL": database.app_dsn,
            "ENCRYPTION_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
            "AAF_API_PORT": "0",
            "AAF_POLICY_FILE": str(policy),
            "AAF_DRAIN_SECONDS": "2",
            **more,
        }
    )


@asynccontextmanager
async def running(settings: Settings, database: Any) -> AsyncIterator[Api]:
    async with open_context(settings) as context, serving(context) as url, aiohttp.ClientSession() as session:
        token = bundle_token(settings, sealer_of(settings))
        api = Api(url=url, context=context, database=database, bundle_token=token, session=session)
        for role in ("admin", "approver", "auditor", "viewer"):
            api.keys[role] = await api.key(role, f"{role}-person")
        api.agent_id, api.keys["agent"] = await api.agent("build-bot")
        api.keys["bundle"] = {"Authorization": f"Bearer {token}"}
        yield api


@asynccontextmanager
async def opa_child(binary: Path, socket: Path, url: str, token: str, tmp_path: Path) -> AsyncIterator[None]:
    config = tmp_path / "opa.yaml"
    config.write_text(
        f"services: {{api: {{url: {url}, credentials: {{bearer: {{token: {token}}}}}}}}}\n"
        "bundles: {firewall: {service: api, resource: v1/bundles/firewall.tar.gz, persist: false,"
        " polling: {long_polling_timeout_seconds: 30, min_delay_seconds: 1, max_delay_seconds: 1}}}\n"
    )
    command = [
        str(binary),
        "run",
        "--server",
        "--addr",
        f"unix://{socket}",
        "--config-file",
        str(config),
        "--log-level",
        "error",
    ]
    with (tmp_path / "opa.log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        child.terminate()
        child.wait(10)


async def until(fact: Any, seconds: float = 20) -> Any:
    """Waits for a condition, asynchronous or not."""
    async with asyncio.timeout(seconds):
        while True:
            found = fact()
            if asyncio.iscoroutine(found) or asyncio.isfuture(found):
                with suppress(aiohttp.ClientError, OSError):
                    found = await found
            if found and not asyncio.iscoroutine(found):
                return found
            await asyncio.sleep(0.02)
