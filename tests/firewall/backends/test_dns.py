"""The look-up, against a DNS server of the test's own; under asyncio's loop and under uvloop, on which the gateway runs."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
import uvloop

from firewall.backends.dns import ADDRESSES, Dns, NoSuchName
from tests.firewall.backends.dns_server import (
    AAAA,
    NO_SUCH_NAME,
    REFUSED,
    SERVER_FAILURE,
    A,
    DnsServer,
    Record,
    Says,
    addresses,
    dns_server,
)


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with dns_server() as server:
        yield server


async def test_every_address_of_both_families_comes_back_with_the_shortest_ttl(server: DnsServer) -> None:
    server.says["x.test"] = Says(
        records=(Record(value="192.0.2.1", ttl=50), Record(value="192.0.2.2", ttl=40), Record(value="2001:db8::1", ttl=30))
    )
    answer = await Dns([server.where])("x.test")
    assert (set(answer.addresses), answer.ttl) == ({"192.0.2.1", "192.0.2.2", "2001:db8::1"}, 30)
    assert {kind for _, kind, _ in server.asked} == {A, AAAA}


async def test_the_ttl_of_an_alias_counts_too(server: DnsServer) -> None:
    server.says["x.test"] = Says(
        records=(Record(value="y.test", ttl=7, alias=True), Record(value="192.0.2.1", ttl=300, name="y.test"))
    )
    assert (await Dns([server.where])("x.test")).ttl == 7


async def test_each_look_up_asks_the_server_again(server: DnsServer) -> None:
    dns = Dns([server.where])
    server.says["x.test"] = addresses("192.0.2.1", ttl=3600)
    assert (await dns("x.test")).addresses == ("192.0.2.1",)
    server.says["x.test"] = addresses("192.0.2.2", ttl=3600)
    assert (await dns("x.test")).addresses == ("192.0.2.2",)
    del server.says["x.test"]
    with pytest.raises(NoSuchName):
        await dns("x.test")
    server.says["x.test"] = addresses("192.0.2.3")
    assert (await dns("x.test")).addresses == ("192.0.2.3",)


@pytest.mark.parametrize("says", [Says(code=NO_SUCH_NAME), Says()], ids=["no such name", "a name without an address"])
async def test_a_name_that_is_not_there_is_told_from_a_server_that_fails(server: DnsServer, says: Says) -> None:
    server.says["x.test"] = says
    with pytest.raises(NoSuchName):
        await Dns([server.where])("x.test")


@pytest.mark.parametrize("code", [SERVER_FAILURE, REFUSED])
async def test_a_server_that_fails_says_nothing_of_the_name(server: DnsServer, code: int) -> None:
    server.says["x.test"] = Says(code=code)
    with pytest.raises(OSError, match=r"\S") as caught:
        await Dns([server.where])("x.test")
    assert not isinstance(caught.value, NoSuchName)


async def test_a_loop_of_aliases_has_no_address_and_ends(server: DnsServer) -> None:
    server.says["x.test"] = Says(records=(Record(value="y.test", alias=True), Record(value="x.test", name="y.test", alias=True)))
    async with asyncio.timeout(20):
        with pytest.raises(OSError, match=r"\S"):
            await Dns([server.where])("x.test")


async def test_an_answer_that_was_cut_off_is_asked_for_by_tcp(server: DnsServer) -> None:
    server.says["x.test"] = Says(records=(Record(value="192.0.2.1"),), cut=True)
    assert (await Dns([server.where])("x.test")).addresses == ("192.0.2.1",)
    assert ("x.test", A, "tcp") in server.asked


async def test_a_huge_answer_is_not_used_in_part(server: DnsServer) -> None:
    server.says["x.test"] = addresses(*(f"198.51.{n // 250}.{n % 250}" for n in range(2_000)))
    with pytest.raises(OSError, match=f"more than {ADDRESSES} addresses"):
        await Dns([server.where])("x.test")
    assert ("x.test", A, "tcp") in server.asked


async def test_as_many_addresses_as_are_taken_are_taken(server: DnsServer) -> None:
    server.says["x.test"] = addresses(*(f"198.51.100.{n}" for n in range(ADDRESSES)))
    assert len((await Dns([server.where])("x.test")).addresses) == ADDRESSES


async def test_bytes_that_are_no_answer_are_none(server: DnsServer) -> None:
    server.says["x.test"] = Says(broken=True)
    with pytest.raises(OSError, match=r"\S") as caught:
        await Dns([server.where])("x.test")
    assert not isinstance(caught.value, NoSuchName)


async def test_who_gives_up_leaves_no_socket_behind(server: DnsServer) -> None:
    server.says["x.test"] = Says(silent=True)
    before = _sockets()
    looking = asyncio.ensure_future(Dns([server.where])("x.test"))
    while not server.asked:
        await asyncio.sleep(0.01)
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    async with asyncio.timeout(20):
        while _sockets() > before:
            await asyncio.sleep(0.01)


async def test_the_hosts_file_comes_before_any_server(server: DnsServer) -> None:
    answer = await Dns([server.where])("localhost")
    assert set(answer.addresses) <= {"127.0.0.1", "::1"}
    assert server.asked == []


def test_it_works_on_the_loop_that_the_gateway_runs_on() -> None:
    async def look() -> None:
        async with dns_server() as server:
            server.says["x.test"] = Says(records=(Record(value="192.0.2.1", ttl=9),), cut=True)
            answers = await asyncio.gather(*(Dns([server.where])("x.test") for _ in range(50)))
            assert {(answer.addresses, answer.ttl) for answer in answers} == {(("192.0.2.1",), 9)}
            with pytest.raises(NoSuchName):
                await Dns([server.where])("gone.test")
            server.says["silent.test"] = Says(silent=True)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(Dns([server.where])("silent.test"), 0.2)

    _run(uvloop.new_event_loop, look)


def _run(factory: Callable[[], asyncio.AbstractEventLoop], main: Callable[[], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        await main()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(all_of_it())


def _sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the folder's own, gone by now
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
    return found
