"""Connections between two requests: never shared, never stale, never without bound."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
from mitmproxy import connection

from gateway.link import Link
from gateway.pool import IDLE_SECONDS, Key, Pool, Upstream
from tests.gateway.rig import until

KEY = Key("agt_1", "up.test", 443, "192.0.2.1", True, ("http/1.1",))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Destination:
    """Makes connections; `peers` are their other ends."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self.peers: dict[int, socket.socket] = {}

    async def connect(self, key: Key = KEY) -> Upstream:
        loop = asyncio.get_running_loop()
        link = Link()
        (peer, _), _ = await asyncio.gather(
            loop.sock_accept(self._server), loop.create_connection(lambda: link, *self._server.getsockname())
        )
        upstream = Upstream(key=key, link=link, server=connection.Server(address=None))
        self.peers[id(upstream)] = peer
        return upstream

    def peer(self, upstream: Upstream) -> socket.socket:
        return self.peers[id(upstream)]

    def close(self) -> None:
        self._server.close()
        for peer in self.peers.values():
            peer.close()


@pytest.fixture
def destination() -> Iterator[Destination]:
    with closing(Destination()) as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pool(clock: Clock) -> AsyncIterator[Pool]:
    made = Pool(clock, per_key=3, most=5)
    yield made
    made.close()
    await asyncio.sleep(0)


async def gone(upstream: Upstream) -> None:
    await until(lambda: not upstream.link.open)


async def test_what_was_used_last_comes_back_first_and_once(pool: Pool, destination: Destination) -> None:
    first, second = [await destination.connect() for _ in range(2)]
    pool.put(first)
    pool.put(second)
    assert len(pool) == 2
    assert (pool.take(KEY), pool.take(KEY), pool.take(KEY)) == (second, first, None)
    assert len(pool) == 0
    first.link.abort()
    second.link.abort()


@pytest.mark.parametrize(
    "other",
    [
        KEY._replace(agent="agt_2"),
        KEY._replace(host="other.test"),
        KEY._replace(port=8443),
        KEY._replace(address="192.0.2.2"),
        KEY._replace(tls=False),
        KEY._replace(alpn=("h2",)),
    ],
    ids=["agent", "host", "port", "address", "TLS", "protocol"],
)
async def test_a_connection_is_for_what_it_was_dialled_for_alone(pool: Pool, destination: Destination, other: Key) -> None:
    upstream = await destination.connect()
    pool.put(upstream)
    assert pool.take(other) is None
    assert pool.take(KEY) is upstream
    upstream.link.abort()


async def test_what_speaks_while_it_is_idle_is_dropped(pool: Pool, destination: Destination) -> None:
    upstream = await destination.connect()
    pool.put(upstream)
    destination.peer(upstream).send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    await gone(upstream)
    assert (len(pool), pool.take(KEY)) == (0, None)


async def test_what_the_destination_ends_while_it_is_idle_is_dropped(pool: Pool, destination: Destination) -> None:
    upstream = await destination.connect()
    pool.put(upstream)
    destination.peer(upstream).close()
    await until(lambda: not len(pool))
    assert pool.take(KEY) is None


@pytest.mark.parametrize("what", ["bytes", "end"])
async def test_what_has_spoken_or_ended_is_not_lent_although_the_loop_has_not_heard_of_it(
    pool: Pool, destination: Destination, what: str
) -> None:
    upstream = await destination.connect()
    pool.put(upstream)
    if what == "bytes":
        destination.peer(upstream).send(b"HTTP/1.1 200 OK\r\n")
    else:
        destination.peer(upstream).close()
    assert pool.take(KEY) is None  # without a turn of the loop in between
    await gone(upstream)


async def test_a_stale_one_does_not_hide_another_that_stands(pool: Pool, destination: Destination) -> None:
    stands, stale = [await destination.connect() for _ in range(2)]
    pool.put(stands)
    pool.put(stale)
    destination.peer(stale).close()
    assert pool.take(KEY) is stands
    assert len(pool) == 0
    stands.link.abort()
    await gone(stale)


async def test_what_has_ended_or_takes_no_more_is_not_put_back(pool: Pool, destination: Destination) -> None:
    ended, full = [await destination.connect() for _ in range(2)]
    ended.link.abort()
    full.link.congested = True
    pool.put(ended)
    pool.put(full)
    assert (len(pool), pool.take(KEY)) == (0, None)
    assert not full.link.open


async def test_one_key_has_a_bound_and_the_oldest_goes(pool: Pool, destination: Destination) -> None:
    made = [await destination.connect() for _ in range(4)]
    for upstream in made:
        pool.put(upstream)
    assert len(pool) == 3
    assert not made[0].link.open
    assert all(upstream.link.open for upstream in made[1:])


async def test_all_together_have_a_bound(pool: Pool, destination: Destination) -> None:
    made = [await destination.connect(KEY._replace(port=port)) for port in range(6)]
    for upstream in made:
        pool.put(upstream)
    assert len(pool) == 5
    assert [upstream.link.open for upstream in made] == [True] * 5 + [False]


async def test_what_is_idle_for_too_long_ends(pool: Pool, destination: Destination, clock: Clock) -> None:
    old, young = [await destination.connect() for _ in range(2)]
    pool.put(old)
    clock.now += IDLE_SECONDS / 2
    pool.put(young)
    pool.expire()
    assert len(pool) == 2
    clock.now += IDLE_SECONDS / 2 + 1
    pool.expire()
    assert (old.link.open, young.link.open, len(pool)) == (False, True, 1)
    clock.now += IDLE_SECONDS
    pool.expire()
    assert (len(pool), pool.take(KEY)) == (0, None)


async def test_the_connections_of_agents_that_are_gone_end(pool: Pool, destination: Destination) -> None:
    one, other = await destination.connect(), await destination.connect(KEY._replace(agent="agt_2"))
    pool.put(one)
    pool.put(other)
    pool.forget_agents(lambda agent: agent == "agt_2")
    assert (one.link.open, other.link.open, len(pool)) == (False, True, 1)


async def test_nothing_is_left_when_it_closes(pool: Pool, destination: Destination) -> None:
    made = [await destination.connect() for _ in range(2)]
    for upstream in made:
        pool.put(upstream)
    pool.close()
    assert len(pool) == 0
    for upstream in made:
        await gone(upstream)
