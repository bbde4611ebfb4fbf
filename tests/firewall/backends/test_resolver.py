"""What is kept and for how long, with a clock and a look-up of the test's own; and rebinding, against a DNS server."""

import asyncio

import pytest

from addons.locate import Locate
from addons.walk import take
from firewall.backends.dns import Answer, Dns, NoSuchName
from firewall.backends.resolver import LONGEST, LOOKUPS, NEGATIVE, SystemResolver
from firewall.errors import AddressRefused, NotResolved
from tests.addons.made import Made
from tests.firewall.backends.dns_server import Says, addresses, dns_server
from tests.gateway.rig import ALLOW


class Asked:
    """Answers what it is told, once its gate is open, and remembers who was asked for."""

    def __init__(self, *found: str, ttl: int = 30) -> None:
        self.answer = Answer(addresses=found or ("192.0.2.1",), ttl=ttl)
        self.error: OSError | None = None
        self.names: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.now = 1_000.0

    async def __call__(self, host: str) -> Answer:
        self.names.append(host)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.answer

    def clock(self) -> float:
        return self.now

    def resolver(self, connect_to: str = "", *, seconds: float = 30, kept: int = 100) -> SystemResolver:
        return SystemResolver(connect_to, lookup=self, seconds=seconds, kept=kept, clock=self.clock)


async def test_a_literal_address_asks_no_one() -> None:
    asked = Asked()
    resolver = asked.resolver()
    assert (await resolver.route("10.0.0.1", 443)).addresses == ("10.0.0.1",)
    assert (await resolver.route("2001:db8::1", 443)).exempt is False
    known = resolver.known("10.0.0.1", 443)
    assert known is not None
    assert known.addresses == ("10.0.0.1",)
    assert asked.names == []


async def test_localhost_resolves_by_the_hosts_file() -> None:
    resolver = SystemResolver()
    route = await resolver.route("localhost", 80)
    assert set(route.addresses) <= {"127.0.0.1", "::1"}
    assert route.addresses


async def test_a_detour_to_an_address_is_exempt_and_one_of_the_port_alone_is_not() -> None:
    resolver = Asked().resolver("a.example:443:127.0.0.1:9443,b.example:443::9443")
    to_address = await resolver.route("a.example", 443)
    assert (to_address.addresses, to_address.port, to_address.exempt) == (("127.0.0.1",), 9443, True)
    assert resolver.known("a.example", 443) == to_address
    to_port = await resolver.route("b.example", 443)
    assert (to_port.addresses, to_port.port, to_port.exempt) == (("192.0.2.1",), 9443, False)
    assert resolver.known("b.example", 443) == to_port
    assert (await resolver.route("a.example", 80)).exempt is False


@pytest.mark.parametrize(("ttl", "kept"), [(0, 1), (1, 1), (30, 30), (60, 60), (3600, LONGEST)])
async def test_an_answer_is_known_for_its_ttl_and_no_longer(ttl: int, kept: int) -> None:
    asked = Asked("192.0.2.1", "2001:db8::1", ttl=ttl)
    resolver = asked.resolver()
    assert resolver.known("x.example", 443) is None
    route = await resolver.route("x.example", 443)
    asked.now += kept - 0.5
    assert resolver.known("x.example", 443) == await resolver.route("x.example", 443) == route
    assert asked.names == ["x.example"]
    asked.now += 1
    assert resolver.known("x.example", 443) is None
    await resolver.route("x.example", 443)
    assert asked.names == ["x.example"] * 2


async def test_ports_of_one_name_share_its_answer() -> None:
    asked = Asked()
    resolver = asked.resolver()
    await resolver.route("x.example", 443)
    known = resolver.known("x.example", 80)
    assert known is not None
    assert (known.addresses, known.port) == (("192.0.2.1",), 80)


async def test_a_name_that_does_not_exist_is_asked_for_again_soon() -> None:
    asked = Asked()
    asked.error = NoSuchName("no such name")
    resolver = asked.resolver()
    for _ in range(3):
        with pytest.raises(NotResolved):
            await resolver.route("x.example", 443)
    assert (asked.names, resolver.known("x.example", 443)) == (["x.example"], None)
    asked.error = None
    asked.now += NEGATIVE + 0.5
    assert (await resolver.route("x.example", 443)).addresses == ("192.0.2.1",)


async def test_a_server_that_fails_is_asked_again_at_once() -> None:
    asked = Asked()
    asked.error = OSError("the server failed")
    resolver = asked.resolver()
    with pytest.raises(NotResolved, match="the server failed"):
        await resolver.route("x.example", 443)
    asked.error = None
    assert (await resolver.route("x.example", 443)).addresses == ("192.0.2.1",)


async def test_an_answer_that_has_ended_is_not_used_when_no_new_one_comes() -> None:
    asked = Asked(ttl=1)
    resolver = asked.resolver()
    await resolver.route("x.example", 443)
    asked.now += 2
    asked.error = OSError("the server failed")
    with pytest.raises(NotResolved):
        await resolver.route("x.example", 443)


async def test_no_more_answers_are_kept_than_may_be() -> None:
    resolver = Asked().resolver(kept=3)
    names = [f"{n}.example" for n in range(5)]
    for name in names:
        await resolver.route(name, 443)
    assert [name for name in names if resolver.known(name, 443) is not None] == names[2:]


async def test_those_who_ask_at_once_share_one_look_up() -> None:
    asked = Asked()
    asked.gate.clear()
    resolver = asked.resolver()
    together = [asyncio.create_task(resolver.route("x.example", 443)) for _ in range(20)]
    while not asked.names:
        await asyncio.sleep(0)
    asked.gate.set()
    assert {route.addresses for route in await asyncio.gather(*together)} == {("192.0.2.1",)}
    assert asked.names == ["x.example"]


async def test_one_who_leaves_does_not_take_the_answer_from_the_others() -> None:
    asked = Asked()
    asked.gate.clear()
    resolver = asked.resolver()
    leaving, staying = (asyncio.create_task(resolver.route("x.example", 443)) for _ in range(2))
    while not asked.names:
        await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    asked.gate.set()
    assert (await staying).addresses == ("192.0.2.1",)


async def test_silence_ends_and_nobody_inherits_it() -> None:
    asked = Asked()
    asked.gate.clear()
    resolver = asked.resolver(seconds=0.05)
    with pytest.raises(NotResolved, match=r"within 0\.05 s"):
        await resolver.route("x.example", 443)
    asked.gate.set()
    assert (await resolver.route("x.example", 443)).addresses == ("192.0.2.1",)


async def test_only_so_many_names_are_looked_up_at_once() -> None:
    asked = Asked()
    asked.gate.clear()
    resolver = asked.resolver()
    under_way = [asyncio.create_task(resolver.route(f"{n}.example", 443)) for n in range(LOOKUPS)]
    while len(asked.names) < LOOKUPS:
        await asyncio.sleep(0)
    with pytest.raises(NotResolved, match="too many names"):
        await resolver.route("one-more.example", 443)
    asked.gate.set()
    await asyncio.gather(*under_way)
    assert (await resolver.route("one-more.example", 443)).addresses == ("192.0.2.1",)


async def test_where_a_proxy_resolves_no_name_is_asked_for_and_an_address_is_still_one() -> None:
    asked = Asked()
    resolver = SystemResolver("a.test:443:127.0.0.1:9443,b.test:443::9443", lookup=asked, elsewhere=True)
    for found in (resolver.known("x.test", 443), await resolver.route("x.test", 443)):
        assert found is not None
        assert (found.addresses, found.port, found.exempt, found.unchecked) == (("x.test",), 443, False, True)
    literal, to_address, to_port = (resolver.known(host, 443) for host in ("10.0.0.1", "a.test", "b.test"))
    assert literal is not None
    assert to_address is not None
    assert to_port is not None
    assert (literal.addresses, literal.unchecked) == (("10.0.0.1",), False)
    assert (to_address.addresses, to_address.exempt, to_address.unchecked) == (("127.0.0.1",), True, False)
    assert (to_port.addresses, to_port.port, to_port.exempt, to_port.unchecked) == (("b.test",), 9443, False, True)
    assert asked.names == []


async def test_after_close_nothing_is_being_asked() -> None:
    asked = Asked()
    asked.gate.clear()
    resolver = asked.resolver()
    asking = asyncio.create_task(resolver.route("x.example", 443))
    while not asked.names:
        await asyncio.sleep(0)
    await resolver.close()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_name_that_is_bound_anew_between_two_requests_is_classified_each_time() -> None:
    asked = Asked()
    async with dns_server() as server:
        made = Made(resolver=SystemResolver(lookup=Dns([server.where]), clock=asked.clock))

        async def locate() -> tuple[str, ...]:
            passage = made.classified(host="evil.test", port=443)
            passage.verdict, passage.destinations = ALLOW, made.revisions.destinations
            await take(Locate(made.services), passage)
            assert passage.route is not None
            return passage.route.addresses

        server.says["evil.test"] = addresses("8.8.8.8", ttl=1)
        assert await locate() == ("8.8.8.8",)
        server.says["evil.test"] = addresses("127.0.0.1", ttl=1)
        assert await locate() == ("8.8.8.8",)  # what was checked is what would be dialled
        asked.now += 2
        with pytest.raises(AddressRefused, match="loopback"):
            await locate()
        with pytest.raises(AddressRefused, match="loopback"):  # and kept, it is no better
            await locate()
        assert server.times("evil.test") == 2
        server.says["evil.test"] = Says(records=addresses("8.8.8.8").records + addresses("::ffff:10.0.0.1").records)
        asked.now += 2
        with pytest.raises(AddressRefused, match="mapped"):
            await locate()
