"""h2spec against the side of the gateway that agents speak HTTP/2 to. The TLS in the tunnel is h2spec's own with the gateway."""

import asyncio
from xml.etree import ElementTree

from aiohttp import web

from tests.conformance.suite import Result, Scene
from tests.conformance.tunnel import leading
from tests.e2e.upstream import server_context


async def run(scene: Scene) -> Result:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = scene.tunnels["h2spec"]
    report = scene.folder / "h2spec.xml"
    try:
        await web.TCPSite(runner, "127.0.0.1", scene.ports["h2spec"], ssl_context=server_context(scene.pair)).start()
        async with leading(scene.agent, f"localhost:{port}", port):
            process = await asyncio.create_subprocess_exec(
                scene.tools / "h2spec", "--tls", "--insecure", "--host", "localhost", "--port", str(port), "--timeout", "5",
                "--junit-report", str(report),
                stdout=(scene.folder / "h2spec.log").open("wb"),
            )  # fmt: skip
            await process.wait()
    finally:
        await runner.cleanup()
    return _read(ElementTree.parse(report).getroot())


async def _answer(request: web.Request) -> web.Response:
    return web.Response(text=f"{len(await request.read())} bytes came")


def _read(report: ElementTree.Element) -> Result:
    passed, failed = 0, []
    for case in report.iter("testcase"):
        wrong = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        if wrong is None:
            passed += 1
        else:
            failed.append(f"{case.get('package')} {case.get('classname')}: {' '.join((wrong.text or wrong.tag).split())}")
    return Result(passed=passed, failed=tuple(failed))
