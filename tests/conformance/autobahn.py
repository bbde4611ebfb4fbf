"""Autobahn's WebSocket cases, the fuzzing server behind the gateway and the fuzzing client before it. What both speak to is the
gateway, for it reads and writes every frame anew; the other end is a client or a server of aiohttp's that echoes."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

from tests.conformance.suite import Result, Scene
from tests.conformance.tunnel import leading
from tests.e2e.upstream import server_context

CASES = [f"{group}.*" for group in (1, 2, 3, 4, 5, 6, 7, 10)]
GOOD = ("OK", "INFORMATIONAL", "NON-STRICT")
AGENT = "gateway"


async def run(scene: Scene) -> Result:
    """Both directions."""
    results = [*_read(await _as_client(scene), "client"), *_read(await _as_server(scene), "server")]
    return Result(passed=sum(1 for found in results if not found), failed=tuple(found for found in results if found))


async def _as_client(scene: Scene) -> Path:
    """The gateway is the client of the fuzzing server."""
    reports, spec = scene.folder / "fuzzingserver", scene.folder / "fuzzingserver.json"
    port = scene.ports["fuzz"]
    files = {"outdir": str(reports), "cert": str(scene.pair.certificate), "key": str(scene.pair.key)}
    spec.write_text(json.dumps({"url": f"wss://127.0.0.1:{port}", "cases": CASES, **files}))
    server = await _wstest(scene, "fuzzingserver", spec, "--webport", "0")
    try:
        await listens(port)
        async with aiohttp.ClientSession() as session:
            cases = int(await _first(session, scene, "getCaseCount"))
            for number in range(1, cases + 1):
                await _echo_case(session, scene, f"runCase?case={number}&agent={AGENT}")
            await _echo_case(session, scene, f"updateReports?agent={AGENT}")
    finally:
        with suppress(ProcessLookupError):
            server.terminate()
        await server.wait()
    return reports


async def _as_server(scene: Scene) -> Path:
    """The gateway is the server of the fuzzing client."""
    reports, spec = scene.folder / "fuzzingclient", scene.folder / "fuzzingclient.json"
    port = scene.tunnels["echo"]
    servers = [{"agent": AGENT, "url": f"wss://localhost:{port}"}]
    spec.write_text(json.dumps({"outdir": str(reports), "servers": servers, "cases": CASES}))
    app = web.Application()
    app.router.add_get("/", _echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", scene.ports["echo"], ssl_context=server_context(scene.pair)).start()
        async with leading(scene.agent, f"localhost:{port}", port):
            await (await _wstest(scene, "fuzzingclient", spec)).wait()
    finally:
        await runner.cleanup()
    return reports


async def _wstest(scene: Scene, mode: str, spec: Path, *more: str) -> asyncio.subprocess.Process:
    with (scene.folder / f"{mode}.log").open("wb") as log:
        program = scene.tools / "wstest" / "bin" / "wstest"
        return await asyncio.create_subprocess_exec(program, "--mode", mode, "--spec", spec, *more, stdout=log, stderr=log)


async def listens(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(OSError):
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                return
            await asyncio.sleep(0.05)


def _open(session: aiohttp.ClientSession, scene: Scene, path: str) -> Any:
    tls = ssl.create_default_context(cafile=scene.ca_file)
    return session.ws_connect(f"wss://fuzz.test:{scene.ports['fuzz']}/{path}", proxy=scene.agent.proxy_url, ssl=tls, max_msg_size=0)


async def _first(session: aiohttp.ClientSession, scene: Scene, path: str) -> str:
    async with _open(session, scene, path) as socket:
        return str((await socket.receive()).data)


async def _echo_case(session: aiohttp.ClientSession, scene: Scene, path: str) -> None:
    async with _open(session, scene, path) as socket:
        await _send_back(socket)


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    await _send_back(socket)
    return socket


async def _send_back(socket: web.WebSocketResponse | aiohttp.ClientWebSocketResponse) -> None:
    """Until it is closed."""
    with suppress(ConnectionError):
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)


def _read(reports: Path, role: str) -> Iterator[str]:
    """For each case why it failed, or nothing."""
    for case, found in json.loads((reports / "index.json").read_text())[AGENT].items():
        behaviours = (found["behavior"], found["behaviorClose"])
        yield "" if all(one in GOOD for one in behaviours) else f"{case} as a {role}: {', closing '.join(behaviours)}"
