"""With the real OPA, which fetches its bundle from a server that keeps what it was asked."""

import asyncio
import json
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from firewall.backends.embedded.identity import Identity
from firewall.backends.embedded.opa import SOCKET_NAME_BYTES, EmbeddedOpa
from firewall.backends.embedded.postgres import CannotStart
from firewall.backends.opa import OpaEngine
from firewall.errors import EngineUnavailable
from firewall.policy import demo_document
from firewall.verdict import Deny
from tests.contracts.scene import until
from tests.opa_server import bundle_of

TOKEN = "bundle-token-of-the-test"
QUESTION = "/v1/data/firewall/decision?strict-builtin-errors=true"


@dataclass(slots=True)
class Bundles:
    """The control API's route, as far as OPA knows it."""

    url: str = ""
    asked: list[str | None] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers.get("Authorization"))
        return web.Response(body=bundle_of(demo_document()), headers={"ETag": "one", "Content-Type": "application/gzip"})


@asynccontextmanager
async def bundles() -> AsyncIterator[Bundles]:
    made, app = Bundles(), web.Application()
    app.router.add_get("/v1/bundles/firewall.tar.gz", made.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the names of sockets are bounded."""
    with tempfile.TemporaryDirectory(prefix="aaf-opa-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o711)
        yield place


@contextmanager
def running(folder: Path, program: Path, url: str = "http://127.0.0.1:1") -> Iterator[EmbeddedOpa]:
    opa = EmbeddedOpa(folder, program=program, bundles_url=url, bundle_token=TOKEN)
    try:
        opa.start()
        yield opa
    finally:
        opa.stop()


async def call(opa: EmbeddedOpa, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(opa.socket))) as session,
        session.request(method, f"http://opa{path}", json=body) as response,
    ):
        return response.status, await response.json(content_type=None)


async def test_it_fetches_its_policy_with_its_token_and_decides_by_it(folder: Path, opa_binary: Path) -> None:
    async with bundles() as api:
        with running(folder, opa_binary, api.url) as opa:
            engine = OpaEngine(opa.url)
            await until(engine.ready)
            assert set(api.asked) == {f"Bearer {TOKEN}"}
            assert await call(opa, "GET", "/health") == (200, {})
            verdict = await engine.decide({"action": {}})
            assert isinstance(verdict, Deny)
            await engine.close()


async def test_it_answers_before_it_has_a_policy_and_allows_nothing(folder: Path, opa_binary: Path) -> None:
    with running(folder, opa_binary) as opa:
        assert await call(opa, "POST", QUESTION, {"input": {}}) == (200, {})
        engine = OpaEngine(opa.url)
        assert not await engine.ready()
        with pytest.raises(EngineUnavailable):
            await engine.decide({"action": {}})
        await engine.close()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/data", None),
        ("GET", "/v1/data/system", None),
        ("PUT", "/v1/data/firewall", {"allow": True}),
        ("GET", "/v1/policies", None),
        ("DELETE", "/v1/policies/authz.rego", None),
        ("GET", "/v1/config", None),
        ("POST", "/v1/query", {"query": "opa.runtime(x)"}),
        ("POST", "/v1/data/firewall/decision?strict-builtin-errors=true&explain=full", {"input": {}}),
    ],
)
async def test_it_answers_one_question_and_nothing_else(folder: Path, opa_binary: Path, method: str, path: str, body: Any) -> None:
    with running(folder, opa_binary) as opa:
        status, said = await call(opa, method, path, body)
        assert (status, said["code"]) == (401, "unauthorized")


async def test_its_socket_is_its_users_alone_and_it_listens_nowhere_else(folder: Path, opa_binary: Path) -> None:
    with running(folder, opa_binary) as opa:
        status = opa.socket.stat()
        assert (stat.S_IMODE(status.st_mode), stat.S_IMODE(opa.socket.parent.stat().st_mode)) == (0o600, 0o700)
        assert stat.S_IMODE((opa.socket.parent / "config.json").stat().st_mode) == 0o600
        assert opa.pid is not None
        owner = Identity.unprivileged().uid
        assert os.stat(f"/proc/{opa.pid}").st_uid == (os.geteuid() if owner is None else owner)
        assert listening(opa.pid) == []


def test_it_is_told_no_secret_but_its_own(folder: Path, opa_binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_MASTER_KEY", "the-master-key")
    monkeypatch.setenv("DATABASE_URL", "postgresql://aaf:the-password@db/x")
    with running(folder, opa_binary) as opa:
        environment = Path(f"/proc/{opa.pid}/environ").read_bytes()
        arguments = Path(f"/proc/{opa.pid}/cmdline").read_bytes()
    assert {entry.partition(b"=")[0] for entry in environment.split(b"\0") if entry} == {b"PATH", b"HOME", b"GOGC"}
    assert TOKEN.encode() not in environment + arguments


def test_one_that_died_is_noticed_and_started_again_over_what_it_left(folder: Path, opa_binary: Path) -> None:
    with running(folder, opa_binary) as opa:
        first = opa.pid
        assert first is not None
        assert opa.died() is None
        os.kill(first, 9)
        assert opa._process is not None
        opa._process.wait()
        assert (opa.died(), opa.pid, opa.socket.exists()) == (-9, None, True)
        opa.start()
        assert opa.pid not in {None, first}


def test_stopped_it_is_gone(folder: Path, opa_binary: Path) -> None:
    with running(folder, opa_binary) as opa:
        pid = opa.pid
    assert not Path(f"/proc/{pid}").exists()
    assert (opa.pid, opa.died()) == (None, None)
    opa.stop()


def test_one_that_ends_at_once_says_why(folder: Path) -> None:
    program = folder / "program"
    program.write_text("#!/bin/sh\necho the reason >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(CannotStart, match="OPA ended at once: the reason"), running(folder, program):
        pass


@pytest.mark.parametrize("kind", ["is missing", "is no program", "is not executable"])
def test_a_program_that_cannot_be_run_is_named_with_the_remedy(folder: Path, kind: str) -> None:
    program = folder / "program"
    if kind != "is missing":
        program.write_text("no program")
        program.chmod(0o755 if kind == "is no program" else 0o644)
    with pytest.raises(CannotStart, match=rf"{program}.* cannot be run as OPA .*set OPA_BIN"), running(folder, program):
        pass


def test_a_folder_too_deep_for_a_socket_is_named_with_the_remedy(folder: Path, opa_binary: Path) -> None:
    deep = folder / ("d" * (SOCKET_NAME_BYTES - len(str(folder)) - len("//opa/opa.sock")))
    deep.mkdir(mode=0o711)
    with running(deep, opa_binary) as opa:  # the longest that there may be
        assert len(str(opa.socket)) == SOCKET_NAME_BYTES
    deeper = folder / (deep.name + "d")
    deeper.mkdir(mode=0o711)
    with pytest.raises(CannotStart, match=r"too long for the name of a socket: set AAF_DATA_DIR"), running(deeper, opa_binary):
        pass


def test_a_link_that_its_user_planted_is_not_written_through(folder: Path, opa_binary: Path) -> None:
    precious = folder / "precious"
    precious.write_text("ours")
    precious.chmod(0o600)
    owned = Identity.unprivileged().folder(folder, "opa")
    for name in ("opa.log", "config.json", "authz.rego"):
        (owned / name).symlink_to(precious)
    with running(folder, opa_binary):
        pass
    assert precious.read_text() == "ours"
    assert precious.stat().st_uid == os.geteuid()


def test_the_apis_certificate_is_trusted_beside_the_systems(folder: Path, opa_binary: Path) -> None:
    ca = folder / "cert.pem"
    ca.write_text("-----BEGIN CERTIFICATE-----")
    opa = EmbeddedOpa(folder, program=opa_binary, bundles_url="https://127.0.0.1:1", bundle_token=TOKEN, ca_file=ca)
    service = json.loads(opa._config())["services"]["control_api"]
    assert service["tls"] == {"ca_cert": str(opa.socket.parent / "ca.pem"), "system_ca_required": True}
    assert (opa.socket.parent / "ca.pem").read_text() == ca.read_text()


def listening(pid: int) -> list[str]:
    """The TCP sockets of a process that listen, as /proc names them."""
    inodes = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists this very folder
            inodes.add(os.readlink(fd).removeprefix("socket:[").removesuffix("]"))
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1])
    return found


def test_listening_sockets_are_found_by_the_test_itself() -> None:
    async def look() -> list[str]:
        server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
        try:
            return listening(os.getpid())
        finally:
            server.close()

    assert asyncio.run(look()) != []
