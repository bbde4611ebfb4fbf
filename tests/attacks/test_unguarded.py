"""One vector of each family against a build without the guard: there the attack gets through. What it is in each case (bytes at the
destination, a request that nobody judged, an address that is dialled, bytes at the agent) stands in the family's file."""

import asyncio
import ssl
from collections.abc import Callable, Iterator

import pytest

from firewall.backends.dns import Dns
from gateway.dial import Dialer
from gateway.link import Link
from tests.attacks.conftest import Trust
from tests.attacks.names import SECRET, lie, open_and_secret
from tests.attacks.scene import SECONDS, governed, resolving, scene
from tests.attacks.unguarded import Naive, mitmdump
from tests.attacks.vector import Answering, Attack, Family, Naming, Shown, families, raw
from tests.attacks.witness import Witness
from tests.firewall.backends.dns_server import dns_server
from tests.gateway.rig import Wire, inner, plain, until

WITHOUT: dict[str, tuple[tuple[str, Callable[..., object]], ...]] = {
    "engine without addons.classify._agree": (("addons.classify._agree", lambda *_: None),),
    "engine without firewall.address.refusal": (
        ("addons.inspect.refusal", lambda *_: None),
        ("addons.locate._refusal", lambda *_: None),
    ),
    "engine without addons.locate._refusal": (("addons.locate._refusal", lambda *_: None),),
    "engine without LocalSockets": (("tests.attacks.scene.LocalSockets.__call__", lambda *_: False),),
}
"""What is replaced, and by what."""


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with mitmdump(tmp_path_factory.mktemp("mitmproxy")) as port:
        yield port


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
async def test_a_family_succeeds_without_the_guard(
    family: Family, trust: Trust, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    shown, attack = family.shown, family.vector(family.shown.attack)
    assert shown.through or shown.unjudged or shown.got or shown.dialled
    for target, instead in WITHOUT.get(shown.build, ()):
        monkeypatch.setattr(target, instead)
    async with asyncio.timeout(SECONDS):
        match attack:
            case Attack() if shown.build == "mitmdump":
                await through_mitmdump(attack, shown, request.getfixturevalue("stock"), trust)
            case Attack() if shown.build in WITHOUT:
                await through_the_engine(attack, shown, trust, dialled_by(monkeypatch))
            case Attack() | Answering():
                await through_naive(attack, shown)
            case Naming() if shown.build in WITHOUT:
                await by_name_through_the_engine(attack, shown, trust, dialled_by(monkeypatch, lead=False))
            case Naming():
                await by_name_through_naive(attack, shown)


async def gets_through(shown: Shown, witness: Witness) -> None:
    if shown.through:
        await until(lambda: shown.through.encode("latin-1") in witness.received)
    if shown.unjudged:
        await until(lambda: shown.unjudged in witness.requests)


async def through_naive(attack: Attack | Answering, shown: Shown) -> None:
    length_first = shown.build == "naive, length first"
    hostile = [raw(piece, {}) for piece in attack.answer] if isinstance(attack, Answering) else []
    hangs_up = isinstance(attack, Answering) and attack.hangs_up
    witness = Witness(length_first=not length_first, hostile=hostile, hangs_up=hangs_up)
    async with witness.serving(), Naive(witness.port, length_first=length_first).serving() as proxy:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", proxy.port))
        if isinstance(attack, Answering):
            await wire.send(plain("/first"))
        else:
            await attack_naive(wire, attack, witness)
        await gets_through(shown, witness)
        assert shown.unjudged not in proxy.judged
        if shown.dialled:
            assert proxy.dialled == [shown.dialled]
        if shown.got:
            await arrives(wire, shown.got)
        await wire.close()


async def attack_naive(wire: Wire, attack: Attack, witness: Witness) -> None:
    """Inside a CONNECT it reads on in clear."""
    if attack.where in ("tunnel", "tunnel-port-80", "raw"):
        await wire.ask(f"CONNECT {attack.to}:443 HTTP/1.1\r\nHost: {attack.to}:443\r\n\r\n".encode(), head_only=True)
    marks = {"<identity>": "", "<port>": str(witness.port)}
    await wire.send(b"".join(raw(piece, marks) for piece in attack.send))
    if attack.where == "connect":
        await wire.answer(head_only=True)
        await wire.send(inner("/first"))


async def arrives(wire: Wire, text: str) -> None:
    got = b""
    while text.encode("latin-1") not in got:
        data = await wire.reader.read(65536)
        assert data, got
        got += data


async def through_mitmdump(attack: Attack, shown: Shown, port: int, trust: Trust) -> None:
    """Names mean nothing to it here, so its CONNECT says where the destination is."""
    witness = Witness()
    async with witness.serving(trust.tls):
        wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
        to = f"127.0.0.1:{witness.tls_port if attack.where == 'tunnel' else witness.port}"
        await wire.ask(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode(), head_only=True)
        if attack.where == "tunnel":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            await wire.writer.start_tls(context, server_hostname=attack.to)
        await wire.send(b"".join(raw(piece, {}) for piece in attack.send))
        await gets_through(shown, witness)
        await wire.close()


Dialled = Callable[[Witness | None], list[str]]


def dialled_by(monkeypatch: pytest.MonkeyPatch, *, lead: bool = True) -> Dialled:
    """Keeps the addresses that our engine dials. With `lead` each leads to the witness instead: nothing leaves this machine."""
    addresses: list[str] = []
    witnesses: list[Witness] = []
    real = Dialer._connect

    async def connect(self: Dialer, link: Link, address: str, port: int) -> None:
        addresses.append(address)
        if lead:
            address, port = "127.0.0.1", witnesses[0].tls_port if port == witnesses[0].tls_port else witnesses[0].port
        await real(self, link, address, port)

    def begin(witness: Witness | None) -> list[str]:
        if witness is not None:
            witnesses.append(witness)
        return addresses

    monkeypatch.setattr(Dialer, "_connect", connect)
    return begin


async def through_the_engine(attack: Attack, shown: Shown, trust: Trust, dialled: Dialled) -> None:
    async with scene(trust.tls, trust.roots, attack=attack) as stage:
        addresses = dialled(stage.witness)
        wire = await stage.open(attack)
        await stage.send(wire, attack)
        await gets_through(shown, stage.witness)
        if shown.dialled:
            assert addresses == [shown.dialled]


async def by_name_through_the_engine(attack: Naming, shown: Shown, trust: Trust, dialled: Dialled) -> None:
    async with dns_server() as dns, open_and_secret() as (_, secret):
        lie(dns, attack)
        resolver = resolving(Dns([dns.where]), [0.0])
        async with governed(trust.roots, resolver, ports=[secret.port], allow_private=attack.allow_private) as rig:
            await rig.ask(plain("/", host=f"{attack.host}:{rig.port if attack.host.startswith('self.') else secret.port}"))
        await gets_through(shown, secret)
        assert dialled(None) == [shown.dialled]
        await resolver.close()


async def by_name_through_naive(attack: Naming, shown: Shown) -> None:
    """It asks when it judges, and once more when it dials."""
    async with dns_server() as dns, open_and_secret() as (_, secret):
        lie(dns, attack)

        async def resolve(host: str) -> str:
            return (await Dns([dns.where])(host)).addresses[0]

        async with Naive(secret.port, length_first=False, resolve=resolve, secret=SECRET).serving() as proxy:
            wire = Wire(*await asyncio.open_connection("127.0.0.1", proxy.port))
            await wire.send(plain("/", host=f"{attack.host}:{secret.port}"))
            await gets_through(shown, secret)
            assert proxy.dialled == [shown.dialled]
            await wire.close()


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 403), ("denied.test", 403), ("up.test", 200)])
async def test_the_naive_proxy_is_not_merely_open(host: str, status: int) -> None:
    witness = Witness()
    async with witness.serving(), Naive(witness.port, length_first=False).serving() as proxy:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", proxy.port))
        assert (await wire.ask(plain("/", host=host))).status == status
        await wire.close()
