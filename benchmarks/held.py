"""From an approver's vote to the first byte at the destination, and what a held request costs in memory."""

import asyncio
import base64
import json
import ssl
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.client import Connection, Proxy, connect, request
from benchmarks.place import Place
from benchmarks.rules import HELD
from benchmarks.system import Access, Target
from benchmarks.throughput import percentile
from firewall.approval import Choice
from firewall.audit import events
from firewall.backends.postgres.store import Store
from firewall.ids import ApprovalId, from_uuid
from firewall.ports import Appended, CastVote, Item
from firewall.seal import Sealer

_PENDING = "select id, sealed from aaf.approvals where state = 'pending' order by requested_at"
_COUNT = "select count(*) from aaf.approvals where state = 'pending'"
_OPEN_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Milliseconds from just before the vote is sent, its commit included, to the first byte at the destination, to which a
    connection has to be opened first. `held`: how many are held meanwhile."""

    held: int
    samples: int
    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """`bytes_each`: resident memory of the worker for each of the requests held at once, its connection and TLS included."""

    released: list[Released]
    bytes_each: int


@asynccontextmanager
async def opened(access: Access) -> AsyncIterator[Store]:
    store = await Store.connect(access.dsn, sealer=Sealer(base64.b64decode(access.master_key)), process="bench")
    try:
        yield store
    finally:
        await store.close()


async def measure(target: Target, access: Access, place: Place, *, many: int, samples: int) -> Waits:
    async with opened(access) as store:
        alone = await Crowd(store, target, place, "alone").one_by_one(samples)
        before = target.resident()
        crowd = Crowd(store, target, place, "crowd")
        await crowd.gather(many)
        bytes_each = max(0, target.resident() - before) // many
        return Waits(released=[alone, await crowd.released(samples)], bytes_each=bytes_each)


def released(held: int, sent: Mapping[str, int], seen: Mapping[str, int]) -> Released:
    """`sent`, `seen`: by path, when its vote was sent and when its first byte came, in ns of one clock."""
    took = [seen[path] - at for path, at in sent.items()]
    return Released(held=held, samples=len(took), p50=percentile(took, 0.5) / 1e6, p99=percentile(took, 0.99) / 1e6)


async def pending(store: Store) -> list[tuple[ApprovalId, str]]:
    """With their paths, oldest first."""
    found = []
    for row in await store.pool.fetch(_PENDING):
        approval = ApprovalId(from_uuid("apr", row["id"]))
        found.append((approval, str(store.approvals.open_summary(approval, row["sealed"])["path"])))
    return found


async def approve(store: Store, approval: ApprovalId) -> None:
    vote = Item(
        drafts=(
            events.voted(approval, voter="bench", voter_id="bench", choice=Choice.APPROVE, comment="", channel="bench"),
            events.approval_settled(approval, choice=Choice.APPROVE, voter="bench", voter_id="bench"),
        ),
        change=CastVote(approval_id=approval, voter_id="bench", voter="bench", choice=Choice.APPROVE, comment=""),
    )
    if not isinstance(await store.ledger.append(vote), Appended):
        raise SystemExit("FAILED: a vote was lost")


class Crowd:
    """Requests that are held; each is a connection of its own, of one of the agents in turn."""

    def __init__(self, store: Store, target: Target, place: Place, name: str) -> None:
        self._store, self._target, self._place, self._name = store, target, place, name
        self._tls = ssl.create_default_context(cafile=target.ca_file)
        self._asked = 0
        self._held = 0
        self._waiting: dict[str, asyncio.Task[int]] = {}
        self._sent: dict[str, int] = {}

    async def one_by_one(self, samples: int) -> Released:
        for _ in range(samples):
            await self.gather(1)
            await self._approve(*(await pending(self._store))[0])
        return await self._result(1)

    async def gather(self, count: int) -> None:
        """Adds as many, and returns when all of them wait for an approver."""
        for begin in range(0, count, _OPEN_AT_ONCE):
            await asyncio.gather(*(self._hold() for _ in range(min(_OPEN_AT_ONCE, count - begin))))
        self._held = len(self._waiting)
        while await self._store.pool.fetchval(_COUNT) < self._held:
            for task in self._waiting.values():
                if task.done():
                    raise SystemExit(f"FAILED: a request that should be held was answered {task.result()}")
            await asyncio.sleep(0.01)

    async def released(self, samples: int) -> Released:
        held = self._held
        for approval, path in (await pending(self._store))[:samples]:
            await self._approve(approval, path)
        return await self._result(held)

    async def _hold(self) -> None:
        credential = self._target.credentials[self._asked % len(self._target.credentials)]
        proxy = Proxy(host="127.0.0.1", port=self._target.proxy_port, credential=credential)
        path = f"{HELD}{self._name}/{self._asked}"
        self._asked += 1
        connection = await connect(proxy, self._place.host, self._place.https, self._tls)
        text = request(proxy, "POST", self._place.host, self._place.https, path, b"{}", tunnelled=True)
        self._waiting[path] = asyncio.create_task(_ask(connection, text))

    async def _approve(self, approval: ApprovalId, path: str) -> None:
        self._sent[path] = time.monotonic_ns()
        await approve(self._store, approval)
        status = await self._waiting.pop(path)
        if status != 200:
            raise SystemExit(f"FAILED: an approved request was answered {status}")

    def leave(self) -> None:
        """All who still wait."""
        for task in self._waiting.values():
            task.cancel()

    async def _result(self, held: int) -> Released:
        self.leave()
        return released(held, self._sent, await asyncio.to_thread(_seen, self._place))


async def _ask(connection: Connection, text: bytes) -> int:
    try:
        status, _ = await connection.ask(text)
        return status
    finally:
        connection.close()


def _seen(place: Place) -> dict[str, int]:
    url = f"http://{place.host}:{place.http}/seen"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        seen: dict[str, int] = json.loads(answer.read())
        return seen
