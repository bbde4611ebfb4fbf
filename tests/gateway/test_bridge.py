"""The bridge does what a layer of mitmproxy's commands, on our links: nothing more, and nothing that it does not know."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from mitmproxy import connection, options
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.websocket import WebsocketEndHook
from structlog.testing import capture_logs

from gateway.bridge import Bridge
from gateway.engine import Engine
from gateway.hooks import Hooks
from gateway.link import Link
from gateway.session import Session
from gateway.timeouts import Phase
from tests.gateway.rig import PATIENT, until

Does = Callable[[events.Event], layer.CommandGenerator[None]]


class Scripted(layer.Layer):
    """Does for each event what the test says, and keeps them."""

    def __init__(self, context: Context, does: Does) -> None:
        super().__init__(context)
        self.seen: list[events.Event] = []
        self._does = does

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        self.seen.append(event)
        yield from self._does(event)

    def data(self) -> list[tuple[bool, bytes]]:
        """What came, and whether from the client."""
        return [
            (event.connection is self.context.client, event.data) for event in self.seen if isinstance(event, events.DataReceived)
        ]


class Scene:
    """A session with a client and an upstream link, whose other ends the test holds."""

    def __init__(self, client: Link, upstream: Link, ends: tuple[socket.socket, socket.socket]) -> None:
        self.client_link, self.upstream_link = client, upstream
        self.client, self.upstream = ends
        self.disconnected: list[object] = []
        self.forgotten: list[object] = []
        loop = asyncio.get_running_loop()
        self.engine = SimpleNamespace(
            loop=loop, now=loop.time, patience=PATIENT, log=structlog.get_logger(), forget=self.forgotten.append,
            hooks=Hooks([SimpleNamespace(client_disconnected=self.disconnected.append)]),
        )  # fmt: skip
        self.session = Session(cast(Engine, self.engine), client)
        self.server = connection.Server(address=("up.test", 80))
        self.server.state = ConnectionState.OPEN
        self.context = Context(self.session.client, options.Options())
        self.context.server = self.server
        self.layer: Scripted | None = None

    def begin(self, does: Does, *, ahead: bytes = b"", begun: bytes = b"") -> Bridge:
        self.layer = Scripted(self.context, does)
        bridge = Bridge(self.session, self.layer)
        bridge.begin(ahead, (self.server, self.upstream_link, begun))
        return bridge

    def seen(self) -> list[tuple[bool, bytes]]:
        assert self.layer is not None
        return self.layer.data()

    async def closed(self, end: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(20):
            while await loop.sock_recv(end, 65536):
                pass


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    loop = asyncio.get_running_loop()
    links, ends = [], []
    for _ in range(2):
        here, there = socket.socketpair()
        there.setblocking(False)
        link = Link()
        await loop.create_connection(lambda link=link: link, sock=here)  # type: ignore[misc]
        links.append(link)
        ends.append(there)
    made = Scene(links[0], links[1], (ends[0], ends[1]))
    yield made
    for link, end in zip(links, ends, strict=True):
        link.abort()
        end.close()
    await asyncio.sleep(0)


def nothing(_event: events.Event) -> layer.CommandGenerator[None]:
    yield from ()


def relay(scene: Scene) -> Does:
    def does(event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            other: connection.Connection = scene.server if event.connection is scene.session.client else scene.session.client
            yield commands.SendData(other, event.data)

    return does


def on_data(*made: Any) -> Does:
    """Yields these commands when data come."""

    def does(event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            yield from made

    return does


async def test_what_has_come_already_is_handed_over_first(scene: Scene) -> None:
    scene.begin(nothing, ahead=b"of the client", begun=b"of the destination")
    assert scene.layer is not None
    assert isinstance(scene.layer.seen[0], events.Start)
    assert scene.seen() == [(False, b"of the destination"), (True, b"of the client")]


async def test_bytes_go_where_the_layer_sends_them(scene: Scene) -> None:
    loop = asyncio.get_running_loop()
    scene.begin(relay(scene))
    scene.client.send(b"there")
    assert await loop.sock_recv(scene.upstream, 100) == b"there"
    scene.upstream.send(b"back")
    assert await loop.sock_recv(scene.client, 100) == b"back"


@pytest.mark.parametrize("slow", ["client", "upstream"])
async def test_who_does_not_take_bytes_stops_the_other_until_they_do(scene: Scene, slow: str) -> None:
    loop = asyncio.get_running_loop()
    scene.begin(relay(scene))
    eager, lazy = (scene.upstream, scene.client) if slow == "client" else (scene.client, scene.upstream)
    link = scene.upstream_link if slow == "client" else scene.client_link
    size = 16 << 20
    sending = asyncio.create_task(loop.sock_sendall(eager, bytes(size)))
    await until(lambda: link.held)
    assert not sending.done()
    got = 0
    while got < size:
        got += len(await loop.sock_recv(lazy, 1 << 20))
    await sending
    assert not link.held


async def test_an_upstream_that_is_lost_lets_go_of_the_client_that_it_stopped(scene: Scene) -> None:
    loop = asyncio.get_running_loop()
    scene.begin(relay(scene))
    sending = asyncio.create_task(loop.sock_sendall(scene.client, bytes(16 << 20)))
    await until(lambda: scene.client_link.held)
    scene.upstream.close()
    await until(lambda: not scene.client_link.held)
    sending.cancel()
    assert scene.server.state is ConnectionState.CLOSED
    assert scene.layer is not None
    assert [event.connection for event in scene.layer.seen if isinstance(event, events.ConnectionClosed)] == [scene.server]


async def test_a_client_that_leaves_ends_all_once(scene: Scene) -> None:
    scene.begin(nothing)
    scene.client.close()
    await until(lambda: scene.forgotten)
    await scene.closed(scene.upstream)
    assert scene.disconnected == [scene.session.client]
    assert scene.forgotten == [scene.session]


async def test_a_layer_may_close_either_side(scene: Scene) -> None:
    scene.begin(on_data(commands.CloseConnection(scene.server), commands.CloseConnection(scene.session.client)))
    scene.client.send(b"x")
    await scene.closed(scene.upstream)
    await scene.closed(scene.client)
    assert scene.session.client.state is ConnectionState.CLOSED


async def test_a_client_that_takes_nothing_is_not_waited_for_for_ever_when_its_connection_is_closed(scene: Scene) -> None:
    big = commands.SendData(scene.session.client, bytes(16 << 20))
    scene.session.expect(Phase.OPEN)
    scene.begin(on_data(big, commands.CloseConnection(scene.session.client)))
    scene.upstream.send(b"x")
    await until(lambda: scene.session.client.state is ConnectionState.CLOSED)
    assert scene.client_link.backlog > 0
    assert scene.session.phase is Phase.ANSWER  # which has an end, as OPEN has not


async def test_half_an_end_is_none(scene: Scene) -> None:
    loop = asyncio.get_running_loop()
    made = commands.CloseTcpConnection(scene.server, half_close=True), commands.SendData(scene.server, b"after it")
    scene.begin(on_data(*made))
    scene.client.send(b"x")
    assert await loop.sock_recv(scene.upstream, 100) == b"after it"


async def test_bytes_for_a_connection_that_is_not_there_are_dropped(scene: Scene) -> None:
    other = connection.Server(address=None)
    scene.begin(on_data(commands.SendData(other, b"lost"), commands.CloseConnection(other)))
    scene.client.send(b"x")
    await until(lambda: scene.seen())
    assert scene.client_link.open


@pytest.mark.parametrize("how", ["fails", "commands what is not known"])
async def test_a_layer_that_goes_wrong_ends_the_connection(scene: Scene, how: str) -> None:
    def does(event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            if how == "fails":
                raise RuntimeError("made to fail")
            yield commands.OpenConnection(connection.Server(address=("other.test", 80)))

    with capture_logs() as logs:
        scene.begin(does)
        scene.client.send(b"x")
        await scene.closed(scene.client)
        await until(lambda: scene.forgotten)
    assert [entry["event"] for entry in logs] == ["layer.failed"]


async def test_a_hook_is_waited_for_and_a_failed_one_ends_the_connection(scene: Scene) -> None:
    future = asyncio.get_running_loop().create_future()
    scene.engine.hooks = Hooks([SimpleNamespace(websocket_end=lambda _: future)])
    hook = WebsocketEndHook(cast(Any, None))
    scene.begin(on_data(hook))
    scene.client.send(b"x")
    await until(lambda: scene.seen())
    assert scene.layer is not None
    assert not any(isinstance(event, events.HookCompleted) for event in scene.layer.seen)
    future.set_exception(RuntimeError("made to fail"))
    await scene.closed(scene.client)


async def test_a_layer_may_ask_to_be_woken(scene: Scene) -> None:
    scene.begin(on_data(commands.RequestWakeup(0)))
    scene.client.send(b"x")
    await until(lambda: scene.layer is not None and any(isinstance(event, events.Wakeup) for event in scene.layer.seen))


async def test_what_is_logged_goes_to_our_log(scene: Scene) -> None:
    with capture_logs() as logs:
        scene.begin(on_data(commands.Log("said")))
        scene.client.send(b"x")
        await until(lambda: logs)
    assert [(entry["event"], entry["message"]) for entry in logs] == [("layer.said", "said")]
