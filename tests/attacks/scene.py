"""A gateway and a destination that keeps every byte, and an agent that sends what an attack says."""

import asyncio
import fcntl
import ssl
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from firewall.backends.dns import Answer, NoSuchName
from firewall.backends.own_sockets import LocalSockets
from firewall.backends.resolver import Lookup, SystemResolver
from firewall.egress import Destinations
from tests.attacks.vector import Attack, raw
from tests.attacks.witness import Witness
from tests.gateway.rig import DENY, HOLD, Rig, Wire, basic, running, until

SECONDS = 20
HOSTS = ("up.test", "example.com")


@dataclass(slots=True, kw_only=True)
class Scene:
    """`up.test` and `example.com` lead to `witness`. `/denied` is denied and `/held` is held, wherever; all else is allowed.
    `asked`: the other names that were looked up."""

    rig: Rig
    witness: Witness
    asked: list[str] = field(default_factory=list)

    @property
    def marks(self) -> dict[str, str]:
        return {"<identity>": basic(), "<port>": str(self.witness.port), "<proxy>": str(self.rig.port)}

    async def open(self, attack: Attack) -> Wire:
        """The connection, as far as the attack has it before its own bytes."""
        match attack.where:
            case "plain" | "connect":
                return await self.rig.connect()
            case "tunnel-port-80":
                return await self.rig.tunnel(attack.to, attack.port or 80, tls=False)
            case "raw":
                return await self.rig.tunnel(attack.to, attack.port or 443, tls=False)
            case "tunnel":
                wire = await self.rig.tunnel(attack.to, attack.port or 443, tls=False)
                if attack.server_name is None:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                    await wire.writer.start_tls(context)
                else:
                    await wire.start_tls(self.rig.authority, attack.server_name or attack.to)
                return wire
        raise AssertionError(attack.where)

    async def send(self, wire: Wire, attack: Attack) -> None:
        pieces = [raw(piece, self.marks) for piece in attack.send]
        for piece in pieces if attack.segments else [b"".join(pieces)]:
            try:
                await wire.send(piece)
            except ConnectionError:  # refused before all of it was sent
                return
            await self.read_by_gateway()

    async def read_by_gateway(self) -> None:
        """Until the gateway has read all that was sent to it, as far as it reads."""
        await until(lambda: not any(_unread(session.link._transport) for session in self.rig.gateway.sessions()))


def _unread(transport: asyncio.Transport | None) -> int:
    if transport is None or transport.is_closing() or not transport.is_reading():
        return 0
    found = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.FIONREAD, b"\0\0\0\0")
    return int.from_bytes(found, "little")


@asynccontextmanager
async def scene(
    tls: ssl.SSLContext | None, roots: str, *, attack: Attack | None = None, hostile: Sequence[bytes] = (), hangs_up: bool = False
) -> AsyncIterator[Scene]:
    """`tls`: the destination's, with a certificate by `roots`."""
    asked: list[str] = []

    async def nowhere(host: str) -> Answer:
        asked.append(host)
        raise NoSuchName("nobody knows it")

    witness = Witness(hostile=hostile, hangs_up=hangs_up)
    async with witness.serving(tls):
        ways = ((443, witness.tls_port or witness.port), (80, witness.port))
        detours = [f"{host}:{port}:127.0.0.1:{to}" for host in HOSTS for port, to in ways]
        resolver = SystemResolver(",".join(detours), lookup=nowhere)
        more = (witness.port,) if attack is None or not attack.port else (witness.port, attack.port)
        async with governed(roots, resolver, ports=more, allow_private=attack.allow_private if attack else ()) as rig:
            yield Scene(rig=rig, witness=witness, asked=asked)


@asynccontextmanager
async def governed(
    roots: str, resolver: SystemResolver, *, ports: Sequence[int] = (), allow_private: Sequence[str] = ()
) -> AsyncIterator[Rig]:
    """A gateway whose policy names these ports, its own one and 80 and 443."""
    made: list[Rig] = []

    def ours(address: str, port: int) -> bool:
        return LocalSockets([made[0].port])(address, port)

    async with asyncio.timeout(SECONDS), running(roots=roots, real_resolver=resolver, own_sockets=ours) as rig:
        made.append(rig)
        rig.revisions.destinations = Destinations(ports=frozenset({80, 443, rig.port, *ports}), allow_private=tuple(allow_private))
        rig.engine.paths = {"/denied": DENY, "/held": HOLD}
        yield rig


def resolving(lookup: Lookup, clock: list[float]) -> SystemResolver:
    """`clock`: holds one number, its time."""
    return SystemResolver(lookup=lookup, clock=lambda: clock[0])
