"""What the handlers work with. `main` fills it with the real parts; nothing here knows Postgres or OPA."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from control_api.callers import Door
from control_api.hint import Hint
from control_api.metrics import Metrics
from control_api.tail import Tail
from firewall.classify.known import NOBODY, Known
from firewall.ids import Prefix, new_id
from firewall.ports import Engine, Ledger, Revisions
from firewall.reads import Reads
from firewall.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Opa:
    """The engine, and whether it has a policy to decide by."""

    engine: Engine
    ready: Callable[[], Awaitable[bool]]


async def _nobody() -> Known:
    return NOBODY


@dataclass(slots=True, kw_only=True)
class Context:
    """`modules`: the Rego that ships, by path. `digest_key`: for credentials inside digests. `closing` is set when the process
    drains: whatever waits or streams then ends. `reading`: one user's document is read at a time. `known`: what classification goes
    by now."""

    settings: Settings
    ledger: Ledger
    revisions: Revisions
    reads: Reads
    opa: Opa | None
    door: Door
    modules: Mapping[str, str]
    digest_key: bytes = field(repr=False)
    metrics: Metrics
    tail: Tail
    approvals_hint: Hint = field(default_factory=Hint)
    policy_hint: Hint = field(default_factory=Hint)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: dict[str, int] = field(default_factory=dict)
    verifying: asyncio.Lock = field(default_factory=asyncio.Lock)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    known: Callable[[], Awaitable[Known]] = _nobody

    def new_id(self, prefix: Prefix) -> str:
        return new_id(prefix, time.time_ns() // 1_000_000)

    def now(self) -> datetime:
        return datetime.now(UTC)
