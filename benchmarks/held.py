"""From an approver's vote to the first byte at the destination, and what a held request costs in memory."""

import asyncio
import base64
import json
import ssl
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cpu
from benchmarks.client import Connection, Proxy, connect, request
from benchmarks.system import Target
from benchmarks.throughput import percentile
from firewall.approval import Choice
from firewall.audit import events
from firewall.backends.postgres.store import Store
from firewall.ids import ApprovalId, from_uuid
from firewall.ports import Appended, CastVote, Item
from firewall.seal import Sealer

_PENDING = "select id, sealed from aaf.approvals where state = 'pending' order by requested_at"
_COUNT = "select count(*) from aaf.approvals where state = 'pending'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Milliseconds from just before the vote is sent, its commit included, to the first byte at the destination."""

    held: int
    samples: int
    p50: float
    p99: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`bytes_each`: resident memory of the worker for each of the requests held at once."""

    released: list[Released]
    bytes_each: int


def measure(target: Target, data_dir: Path, ports: dict[str, int], *, many: int, samples: int) -> Result:
    return asyncio.run(_measure(target, data_dir, ports, many, samples))


async def _measure(target: Target, data_dir: Path, ports: dict[str, int], many: int, samples: int) -> Result:
    sealer = Sealer(base64.b64decode((data_dir / "master.key").read_text()))
    dsn = json.loads((data_dir / "database.json").read_text())["app_dsn"]
    store = await Store.connect(dsn, sealer=sealer, process="bench")
    try:
        alone = await _latencies(store, target, ports, prefix="one", held=1, samples=samples)
        before = sum(cpu.resident(pid) for pid in target.parts["gateway"])
        holding = asyncio.create_task(_latencies(store, target, ports, prefix="many", held=many, samples=samples, memory=target))
        crowd = await holding
        return Result(
            released=[alone.released, crowd.released],
            bytes_each=max(0, (crowd.resident - before)) // many,
        )
    finally:
        await store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    released: Released
    resident: int = 0


async def _latencies(
    store: Store, target: Target, ports: dict[str, int], *, prefix: str, held: int, samples: int, memory: Target | None = None
) -> _Run:
    tls = ssl.create_default_context(cafile=target.ca_file)
    sent: dict[str, int] = {}
    asked = 0
    waiting: set[asyncio.Task[int]] = set()

    async def hold() -> None:
        nonlocal asked
        path = f"/held/{prefix}/{asked}"
        proxy = Proxy(host="127.0.0.1", port=target.proxy_port, credential=target.credentials[asked % len(target.credentials)])
        asked += 1
        connection = await connect(proxy, "127.0.0.1", ports["https"], tls)
        waiting.add(
            asyncio.create_task(_ask(connection, request(proxy, "POST", "127.0.0.1", ports["https"], path, b"{}", tunnelled=True)))
        )

    for _ in range(held):
        await hold()
    await _until_pending(store, held)
    resident = 0 if memory is None else sum(cpu.resident(pid) for pid in memory.parts["gateway"])
    rows = await store.pool.fetch(_PENDING)
    for number in range(samples):
        if held == 1 and number:
            await hold()
            await _until_pending(store, 1)
            rows = await store.pool.fetch(_PENDING)
        row = rows[0 if held == 1 else number]
        approval = ApprovalId(from_uuid("apr", row["id"]))
        path = store.approvals.open_summary(approval, row["sealed"])["path"]
        vote = Item(
            drafts=(
                events.voted(approval, voter="bench", voter_id="bench", choice=Choice.APPROVE, comment="", channel="bench"),
                events.approval_settled(approval, choice=Choice.APPROVE, voter="bench", voter_id="bench"),
            ),
            change=CastVote(approval_id=approval, voter_id="bench", voter="bench", choice=Choice.APPROVE, comment=""),
        )
        sent[path] = time.monotonic_ns()
        if not isinstance(await store.ledger.append(vote), Appended):
            raise SystemExit("a vote was lost")
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        waiting = {task for task in waiting if not task.done()}
    seen = await asyncio.to_thread(_seen, ports["http"])
    for task in waiting:
        task.cancel()
    found = [seen[path] - at for path, at in sent.items()]
    return _Run(
        released=Released(held=held, samples=len(found), p50=percentile(found, 0.5) / 1e6, p99=percentile(found, 0.99) / 1e6),
        resident=resident,
    )


async def _ask(connection: Connection, text: bytes) -> int:
    try:
        status, _ = await connection.ask(text)
        return status
    finally:
        connection.close()


async def _until_pending(store: Store, count: int) -> None:
    while await store.pool.fetchval(_COUNT) < count:
        await asyncio.sleep(0.01)


def _seen(port: int) -> dict[str, int]:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/seen", timeout=30) as answer:
        seen: dict[str, int] = json.loads(answer.read())
        return seen
