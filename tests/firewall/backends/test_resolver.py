import asyncio
import threading
from collections.abc import Sequence

import pytest

from firewall.backends.resolver import SystemResolver
from firewall.errors import NotResolved


@pytest.mark.asyncio
async def test_a_literal_address_asks_no_one() -> None:
    def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError("asked")

    resolver = SystemResolver(lookup=never)
    assert (await resolver.route("10.0.0.1", 443)).addresses == ("10.0.0.1",)
    assert (await resolver.route("2001:db8::1", 443)).exempt is False
    await resolver.close()


@pytest.mark.asyncio
async def test_localhost_resolves_by_the_system() -> None:
    resolver = SystemResolver()
    route = await resolver.route("localhost", 80)
    assert set(route.addresses) <= {"127.0.0.1", "::1"}
    assert route.addresses
    await resolver.close()


@pytest.mark.asyncio
async def test_a_detour_to_an_address_is_exempt_and_one_of_the_port_alone_is_not() -> None:
    resolver = SystemResolver("a.example:443:127.0.0.1:9443,b.example:443::9443", lookup=lambda host, port: ["192.0.2.1"])
    to_address = await resolver.route("a.example", 443)
    assert (to_address.addresses, to_address.port, to_address.exempt) == (("127.0.0.1",), 9443, True)
    to_port = await resolver.route("b.example", 443)
    assert (to_port.addresses, to_port.port, to_port.exempt) == (("192.0.2.1",), 9443, False)
    assert (await resolver.route("a.example", 80)).exempt is False
    await resolver.close()


@pytest.mark.asyncio
async def test_those_who_ask_at_once_share_one_look_up_and_those_who_come_later_do_not() -> None:
    asked: list[str] = []
    gate = threading.Event()

    def lookup(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        gate.wait(10)
        return ["192.0.2.1", "192.0.2.1", "192.0.2.2"]

    resolver = SystemResolver(lookup=lookup)
    together = [asyncio.create_task(resolver.route("x.example", 443)) for _ in range(20)]
    while not asked:
        await asyncio.sleep(0.01)
    gate.set()
    assert {route.addresses for route in await asyncio.gather(*together)} == {("192.0.2.1", "192.0.2.2")}
    assert asked == ["x.example"]
    await resolver.route("x.example", 443)
    assert asked == ["x.example"] * 2
    await resolver.close()


@pytest.mark.asyncio
async def test_one_who_leaves_does_not_take_the_answer_from_the_others() -> None:
    gate = threading.Event()

    def lookup(host: str, port: int) -> Sequence[str]:
        gate.wait(10)
        return ["192.0.2.1"]

    resolver = SystemResolver(lookup=lookup)
    leaving, staying = (asyncio.create_task(resolver.route("x.example", 443)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    gate.set()
    assert (await staying).addresses == ("192.0.2.1",)
    await resolver.close()


@pytest.mark.asyncio
async def test_failure_silence_and_too_large_an_answer_are_not_resolved() -> None:
    gate = threading.Event()

    def lookup(host: str, port: int) -> Sequence[str]:
        match host:
            case "silent":
                gate.wait(10)
                return []
            case "large":
                return [f"192.0.2.{n}" for n in range(33)]
            case "empty":
                return []
            case _:
                raise OSError("no such name")

    resolver = SystemResolver(lookup=lookup, seconds=0.2)
    for host, why in (("gone", "no such name"), ("large", "more than 32"), ("empty", "empty"), ("silent", "within 0.2 s")):
        with pytest.raises(NotResolved, match=why):
            await resolver.route(host, 443)
    gate.set()
    await resolver.close()
