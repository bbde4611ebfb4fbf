"""Approvals past their time in a real database, and the worker as a real process."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import orjson

from firewall.action import Action, Kind, Risk
from firewall.approval import Choice
from firewall.audit.entry import Event
from firewall.audit.events import agent_event, approval_settled, requested, voted
from firewall.backends.postgres.store import Store
from firewall.ids import ActionId, AgentId, ApprovalId, new_id
from firewall.ports import Appended, CastVote, CreateAgent, Item, OpenApproval
from firewall.verdict import Terms

ROOT = Path(__file__).parents[2]
KEY = "A" * 43 + "="
RUN = """
import sys
from worker.main import main
from firewall.settings import load
sys.exit(main(load(), lifeline={}, ready={}))
"""


class World:
    """A process's store, and short ways to make what a worker finds. Times are moved by the superuser."""

    def __init__(self, database: Any, store: Store) -> None:
        self.database = database
        self.store = store

    async def approvals(self, count: int, *, approved: bool = False, overdue: bool = True) -> list[ApprovalId]:
        agent = AgentId(_fresh("agt"))
        change = CreateAgent(agent_id=agent, name=agent, token_id=_fresh("tok"), token_hash=os.urandom(32))
        await self._append(Item(drafts=(agent_event(Event.AGENT_CREATED, agent, agent, by="test"),), change=change))
        ids = [ApprovalId(_fresh("apr")) for _ in range(count)]
        await asyncio.gather(*(self._append(_opening(i, agent)) for i in ids))
        if approved:
            await asyncio.gather(*(self._append(_approving(i)) for i in ids))
        if overdue:
            column = "grant_until" if approved else "expires_at"
            await self.sql(f"update aaf.approvals set {column} = clock_timestamp() - interval '1 second' where agent = $1", agent)
        return ids

    async def states(self) -> dict[str, int]:
        return {row["state"]: row["n"] for row in await self.sql("select state, count(*) as n from aaf.approvals group by state")}

    async def expired_entries(self) -> list[str]:
        rows = await self.sql("select convert_from(body, 'UTF8') as body from aaf.audit_log where event = 'approval.expired'")
        return sorted(orjson.loads(row["body"])["approval"] for row in rows)

    async def sql(self, text: str, *arguments: Any) -> Any:
        connection = await asyncpg.connect(self.database.super_dsn)
        try:
            return await connection.fetch(text, *arguments)
        finally:
            await connection.close()

    async def _append(self, item: Item) -> None:
        assert isinstance(await self.store.ledger.append(item), Appended)


def _fresh(prefix: Any) -> str:
    return new_id(prefix, time.time_ns() // 1_000_000)


def _opening(approval: ApprovalId, agent: AgentId) -> Item:
    action = Action(
        id=ActionId(_fresh("act")), agent=agent, agent_id=agent, service="http", operation="POST", kind=Kind.WRITE,
        risk=Risk.MEDIUM, method="POST", scheme="https", host="x.example", port=443, path="/", segments=("",), query="",
        digest="sha256:" + os.urandom(32).hex(), resource={},
    )  # fmt: skip
    change = OpenApproval(
        approval_id=approval, action_id=action.id, digest=action.digest, agent=agent, agent_id=agent, name=action.name,
        kind="write", risk="medium", method="POST", host="x.example", reason="why", rules=("r",), revision="sha256:1",
        terms=Terms(), summary={}, waits=False, holds_limit=9,
    )  # fmt: skip
    return Item(drafts=(requested(approval, action, rules=("r",), revision="sha256:1", expires_in=60),), change=change)


def _approving(approval: ApprovalId) -> Item:
    drafts = (
        voted(approval, voter="ann", voter_id="k", choice=Choice.APPROVE, comment="", channel="api"),
        approval_settled(approval, choice=Choice.APPROVE, voter="ann", voter_id="k"),
    )
    change = CastVote(approval_id=approval, voter_id="k", voter="ann", choice=Choice.APPROVE, comment="")
    return Item(drafts=drafts, change=change)


class Child:
    """A worker with a lifeline and a ready pipe, as `aaf up` starts it."""

    async def start(self, **env: str) -> None:
        life_read, self.life = os.pipe()
        ready_read, ready_write = os.pipe()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            RUN.format(life_read, ready_write),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **env},
            pass_fds=(life_read, ready_write),
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        os.close(life_read)
        os.close(ready_write)
        self.ready = os.fdopen(ready_read)

    async def url(self) -> str:
        async with asyncio.timeout(30):
            line = await asyncio.to_thread(self.ready.readline)
        return str(orjson.loads(line)["admin_url"])

    async def end(self) -> tuple[int, str]:
        """Waits for its end: exit status and what it wrote to stderr."""
        try:
            async with asyncio.timeout(30):
                _, errors = await self.process.communicate()
        finally:
            self.ready.close()
            if self.life >= 0:
                os.close(self.life)
        return self.process.returncode or 0, errors.decode()

    def cut(self) -> None:
        """The parent is gone."""
        os.close(self.life)
        self.life = -1


def env(dsn: str) -> dict[str, str]:
    return {"DATABASE_URL": dsn, "ENCRYPTION_MASTER_KEY": KEY, "AAF_WORKER_ADMIN_PORT": "0"}


async def get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        is_json = "json" in response.content_type
        return response.status, await response.json() if is_json else await response.text()


async def until(fact: Any, seconds: float = 30) -> None:
    """Waits until the asynchronous `fact` holds."""
    async with asyncio.timeout(seconds):
        while not await fact():
            await asyncio.sleep(0.05)
