"""A real OPA on a Unix socket, as it runs in production (authorization, a bundle), and one that answers what a test says."""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from firewall import bundle, policy
from tests.accepting import keep_handler

AUTHZ = Path(__file__).parent.parent / "policies" / "system" / "authz.rego"


def bundle_of(text: str) -> bytes:
    modules = policy.modules()
    compiled = policy.compile_policy(policy.load(text), modules)
    return bundle.build(compiled.revision, compiled.data, modules)


@contextmanager
def serving(opa: Path, archive: bytes) -> Iterator[str]:
    """The URL of an OPA that has loaded `archive`. A short path, because socket names are bounded."""
    with tempfile.TemporaryDirectory(prefix="opa", dir="/tmp") as folder:
        place = Path(folder)
        (place / "b.tar.gz").write_bytes(archive)
        socket = place / "s"
        command = [
            str(opa), "run", "--server", "--addr", f"unix://{socket}", "--authorization=basic", "--log-level=error",
            "--set", f"bundles.firewall.resource=file://{place / 'b.tar.gz'}", str(AUTHZ),
        ]  # fmt: skip
        with (place / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                asyncio.run(_until_ready(f"unix://{socket}", process, place / "log"))
                yield f"unix://{socket}"
            finally:
                process.kill()


async def _until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    from firewall.backends.opa import OpaEngine

    engine = OpaEngine(url)
    end = time.monotonic() + 60
    while not await engine.ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"OPA does not serve; see {log}")
        await asyncio.sleep(0.05)


Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def made_up(answer: Answer) -> AsyncIterator[str]:
    """The URL of a server that hands each request's body to `answer`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep_handler()
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await answer(await reader.readexactly(length), writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    with tempfile.TemporaryDirectory(prefix="opa", dir="/tmp") as folder:
        server = await asyncio.start_unix_server(serve, f"{folder}/s")
        try:
            yield f"unix://{folder}/s"
        finally:
            server.close()
            server.close_clients() if hasattr(server, "close_clients") else None


def http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
