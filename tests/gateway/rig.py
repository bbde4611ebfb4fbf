"""One gateway worker's engine in the test's own event loop, on real sockets, over ports that answer what a test says."""

import asyncio
import base64
import hashlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from addons.guard import Firewall
from addons.services import Limits, Services
from addons.tunnels import Tunnels
from addons.waiting import WaitingRoom
from certs import ca
from certs.contexts import LeafContexts
from certs.leaf import LeafIssuer
from firewall.approval import Approval, State
from firewall.audit.entry import Draft, Event
from firewall.egress import Destinations, OwnSockets, Resolver, Route
from firewall.errors import EngineUnavailable, LedgerUnavailable, NotResolved
from firewall.ids import ActionId, AgentId, ApprovalId, TokenId
from firewall.ports import Agent, Appended, Credential, Item, OpenApproval, Outcome, SpendGrant
from firewall.upstream_proxy import ProxyHop
from firewall.verdict import Allow, Deny, Hold, Verdict
from gateway.dial import Dialer
from gateway.engine import Engine
from gateway.main import bind
from gateway.master import GatewayMaster
from gateway.timeouts import Patience
from tests.accepting import keep_handler
from tests.e2e.upstream import Log, Upstream

REVISION = "sha256:" + "1" * 64
TOKEN = "t" * 43
PATIENT = Patience(head=30, idle=30, connect=30, response=30, request=30)
SWEEP_SECONDS = 0.02

ALLOW = Allow(reason="allowed here", rules=("allowed",), revision=REVISION)
HOLD = Hold(reason="asks first", rules=("held",), revision=REVISION)
DENY = Deny(reason="denied here", rules=("denied",), revision=REVISION)


class SomeAgents:
    """Two agents, `demo` and `second`, with one token each, which happens to be the same."""

    def __init__(self) -> None:
        self.credential = _credential("demo", "a")
        self._all = {"demo": self.credential, "second": _credential("second", "c")}
        self.live = True
        self.callbacks: list[Callable[[], None]] = []

    def known(self, name: str, token: str) -> Credential | None:
        return self._all.get(name) if self.live and token == TOKEN else None

    def is_live(self, credential: Credential) -> bool:
        return self.live and credential is self._all.get(credential.agent.name)

    async def find(self, name: str, token: str) -> Credential | None:
        return self.known(name, token)

    def on_change(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def disable(self) -> None:
        self.live = False
        for callback in self.callbacks:
            callback()


def _credential(name: str, letter: str) -> Credential:
    return Credential(
        agent=Agent(id=AgentId("agt_" + letter * 32), name=name, enabled=True),
        token_id=TokenId("tok_" + letter * 32),
        token_hash=hashlib.sha256(TOKEN.encode()).digest(),
        expires_at=None,
    )


class SomeRevisions:
    def __init__(self) -> None:
        self.active: str | None = REVISION
        self.destinations = Destinations()

    def kept(self, revision: str) -> Destinations | None:
        return self.destinations if revision == REVISION else None

    async def find(self, revision: str) -> Destinations | None:
        return self.kept(revision)


class SomeEngine:
    """Answers `verdict`, or what it says for a host or a path; while `gate` is unset it does not answer."""

    def __init__(self) -> None:
        self.verdict: Verdict = ALLOW
        self.hosts: dict[str, Verdict] = {}
        self.paths: dict[str, Verdict] = {}
        self.available = True
        self.asked: list[Mapping[str, Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def decide(self, question: Mapping[str, Any]) -> Verdict:
        self.asked.append(question)
        await self.gate.wait()
        if not self.available:
            raise EngineUnavailable("the policy engine did not answer")
        action = question["action"]
        return self.paths.get(action["path"]) or self.hosts.get(action["host"], self.verdict)


class SomeResolver:
    """`routes`: where a host leads, whatever the port."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.asked: list[str] = []
        self.literal: Route | None = None

    def known(self, host: str, port: int) -> Route | None:
        return self.literal

    async def route(self, host: str, port: int) -> Route:
        self.asked.append(host)
        if host in self.routes:
            return self.routes[host]
        raise NotResolved(f"{host} does not resolve")


class SomeSockets:
    def __init__(self) -> None:
        self.ours: set[tuple[str, int]] = set()

    def __call__(self, address: str, port: int) -> bool:
        return (address, port) in self.ours


class SomeLedger:
    """Keeps the entries in a list. An approval opens pending; a grant is spent once."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.changes: list[Any] = []
        self.left: list[ActionId] = []
        self.states: dict[ApprovalId, State] = {}
        self.error: Exception | None = None
        self.refuses: Event | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, item: Item) -> Outcome:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        if any(draft.event is self.refuses for draft in item.drafts):
            raise LedgerUnavailable("the audit store is unavailable")
        if isinstance(item.change, OpenApproval):
            self.states[item.change.approval_id] = State.PENDING
        if isinstance(item.change, SpendGrant):
            assert self.states[item.change.approval_id] is State.APPROVED
            self.states[item.change.approval_id] = State.SPENT
        first = len(self.drafts)
        self.drafts.extend(item.drafts)
        self.changes.append(item.change)
        return Appended(seqs=tuple(range(first, len(self.drafts))))

    async def note(self, item: Item) -> Outcome:
        return await self.append(item)

    def leave(self, action_id: ActionId) -> None:
        self.left.append(action_id)

    async def look(self, ids: Sequence[ApprovalId]) -> Mapping[ApprovalId, State]:
        return {one: self.states[one] for one in ids if one in self.states}

    def fields(self, event: Event) -> list[dict[str, Any]]:
        return [dict(draft.fields) for draft in self.drafts if draft.event is event]

    def decided(self) -> list[tuple[str, str | None]]:
        """Effect and code of every decision."""
        return [(fields["effect"], fields.get("code")) for fields in self.fields(Event.ACTION_DECIDED)]

    def failed(self) -> list[str]:
        return [fields["code"] for fields in self.fields(Event.ACTION_FAILED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`headers`: names in lower case. `trailers`: lines."""

    status: int
    reason: str
    headers: dict[str, str]
    body: bytes
    trailers: tuple[str, ...] = ()

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Which way we refused it."""
        return str(self.json()["type"]).removeprefix("urn:aaf:problem:")


class Wire:
    """A client's connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, *, head_only: bool = False) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        _, status, *reason = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body, trailers = b"", list[str]()
        if head_only:
            pass
        elif "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            while line := (await self.reader.readuntil(b"\r\n"))[:-2]:
                trailers.append(line.decode("latin-1"))
        return Answer(status=int(status), reason="".join(reason), headers=headers, body=body, trailers=tuple(trailers))

    async def ask(self, data: bytes, *, head_only: bool = False) -> Answer:
        await self.send(data)
        return await self.answer(head_only=head_only)

    async def rest(self) -> bytes:
        """What comes until the other side closes, by FIN or by reset."""
        got = b""
        with suppress(ConnectionError, ssl.SSLError):
            while data := await self.reader.read(65536):
                got += data
        return got

    async def start_tls(self, authority: ca.Authority, server_name: str, alpn: Sequence[str] = ()) -> None:
        context = ssl.create_default_context(cadata=ca.certificate_pem(authority))
        context.check_hostname = False
        if alpn:
            context.set_alpn_protocols(list(alpn))
        await self.writer.start_tls(context, server_hostname=server_name)

    def peer_certificate(self) -> bytes:
        found: bytes = self.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return found

    async def abort(self) -> None:
        """Leaves by a reset."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError, TimeoutError):
            await self.writer.wait_closed()


def basic(name: str = "demo", token: str = TOKEN) -> str:
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{name}:{token}".encode()).decode() + "\r\n"


def plain(target: str, *, method: str = "GET", host: str = "up.test", headers: str = "", body: bytes = b"") -> bytes:
    """A plain request to a proxy; `target`: a path on `host`."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    head = f"{method} http://{host}{target} HTTP/1.1\r\nHost: {host}\r\n{basic()}{length}{headers}\r\n"
    return head.encode() + body


def inner(target: str, *, method: str = "GET", host: str = "up.test", headers: str = "", body: bytes = b"") -> bytes:
    """A request inside a tunnel."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{length}{headers}\r\n".encode() + body


async def until(fact: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not fact():
            await asyncio.sleep(0.005)


@dataclass(slots=True, kw_only=True)
class Rig:
    services: Services
    agents: SomeAgents
    revisions: SomeRevisions
    engine: SomeEngine
    resolver: SomeResolver
    ledger: SomeLedger
    gateway: Engine
    authority: ca.Authority
    port: int
    upstream: Upstream | None = None
    wires: list[Wire] = field(default_factory=list)

    @property
    def guard(self) -> Firewall:
        return self.gateway.guard

    @property
    def log(self) -> Log:
        assert self.upstream is not None
        return self.upstream.log

    def lead(self, host: str, port: int, *, exempt: bool = True) -> None:
        """`host` is dialled at this port of 127.0.0.1."""
        self.resolver.routes[host] = Route(addresses=("127.0.0.1",), port=port, exempt=exempt)

    async def connect(self) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        self.wires.append(wire)
        return wire

    async def ask(self, data: bytes, *, head_only: bool = False) -> Answer:
        """One request on a connection of its own."""
        wire = await self.connect()
        try:
            return await wire.ask(data, head_only=head_only)
        finally:
            await wire.close()

    async def tunnel(
        self, host: str = "up.test", port: int = 443, *, server_name: str | None = None, tls: bool = True, alpn: Sequence[str] = ()
    ) -> Wire:
        wire = await self.connect()
        answer = await wire.ask(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{basic()}\r\n".encode(), head_only=True)
        assert answer.status == 200, answer
        if tls:
            await wire.start_tls(self.authority, server_name or host, alpn)
        return wire

    def approve(self) -> None:
        """Approves all that is pending, as a hint from the database would say it."""
        for one, state in list(self.ledger.states.items()):
            if state is State.PENDING:
                self.ledger.states[one] = State.APPROVED
                self.services.room.heard(f"{one.removeprefix('apr_')} approved")

    async def held(self, count: int = 1) -> None:
        await until(lambda: len(self.services.room) == count)


class SomeApprovals:
    def __init__(self, ledger: SomeLedger) -> None:
        self._ledger = ledger

    async def get(self, approval_id: ApprovalId) -> Approval | None:
        return None

    async def states(self, ids: Sequence[ApprovalId]) -> Mapping[ApprovalId, State]:
        return await self._ledger.look(ids)


@asynccontextmanager
async def running(
    upstream: Upstream | None = None,
    *,
    patience: Patience = PATIENT,
    limits: Limits | None = None,
    roots: str = "",
    hop: ProxyHop | None = None,
    real_resolver: Resolver | None = None,
    own_sockets: OwnSockets | None = None,
) -> AsyncIterator[Rig]:
    """`upstream`: where `up.test` leads, by plain HTTP on port 80 and TLS on 443. `roots`: a file of CAs trusted for upstreams.
    `real_resolver`, `own_sockets`: instead of the rig's."""
    loop = asyncio.get_running_loop()
    agents, revisions, engine, resolver, ledger = SomeAgents(), SomeRevisions(), SomeEngine(), SomeResolver(), SomeLedger()
    services = Services(
        agents=agents,
        revisions=revisions,
        engine=engine,
        resolver=real_resolver or (resolver if upstream is None else _ByPort(resolver, upstream)),
        own_sockets=own_sockets or SomeSockets(),
        ledger=ledger,
        approvals=SomeApprovals(ledger),
        room=WaitingRoom(ledger.look),
        tunnels=Tunnels(),
        limits=limits or Limits(hold_seconds=30),
        digest_key=bytes(32),
        now=now,
        clock=loop.time,
    )
    authority = ca.create(now())
    listening = bind("127.0.0.1", 0)
    listening.setblocking(False)
    gateway = Engine(
        firewall=lambda close_client: Firewall(services, close_client=close_client),
        leaves=LeafContexts(LeafIssuer(authority, now=now)),
        dialer=Dialer(roots=roots, seconds=patience.connect, hop=hop),
        patience=patience,
        options=GatewayMaster().options,
    )
    rig = Rig(
        services=services,
        agents=agents,
        revisions=revisions,
        engine=engine,
        resolver=resolver,
        ledger=ledger,
        gateway=gateway,
        authority=authority,
        port=listening.getsockname()[1],
        upstream=upstream,
    )
    sweep = loop.create_task(_sweep(gateway))
    await gateway.listen(listening, None)
    try:
        yield rig
    finally:
        engine.gate.set()
        ledger.gate.set()
        for wire in rig.wires:
            await wire.close()
        await gateway.drain(0)
        sweep.cancel()
        await asyncio.wait([sweep])
        listening.close()


class _ByPort:
    """`up.test` at the upstream's port for the scheme; anything else as the test says."""

    def __init__(self, other: SomeResolver, upstream: Upstream) -> None:
        self._other = other
        self._upstream = upstream

    def known(self, host: str, port: int) -> Route | None:
        return None

    async def route(self, host: str, port: int) -> Route:
        if host == "up.test":
            self._other.asked.append(host)
            to = self._upstream.https_port if port == 443 else self._upstream.http_port
            return Route(addresses=("127.0.0.1",), port=to, exempt=True)
        return await self._other.route(host, port)


async def _sweep(gateway: Engine) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        gateway.sweep()


def now() -> datetime:
    return datetime.now(UTC)


class RawUpstream:
    """A destination of bytes in the test's own loop. `behave` runs for each connection."""

    def __init__(
        self,
        behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._behave = behave
        self._tls = tls
        self.received = bytearray()
        self.connections = 0
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep_handler()
        self.connections += 1
        try:
            await self._behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
