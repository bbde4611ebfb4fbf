"""A destination for the tests of the gateway: `up.test`, with TLS and without."""

import ssl
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.e2e.pki import TestAuthority
from tests.e2e.upstream import LoopThread, Upstream
from tests.gateway.rig import Rig, running


@pytest.fixture(scope="session")
def upstream_authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    return TestAuthority(tmp_path_factory.mktemp("upstream"))


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@pytest.fixture
def upstream(upstream_authority: TestAuthority, loop_thread: LoopThread) -> Iterator[Upstream]:
    server = Upstream(loop_thread, upstream_authority.issue("up.test", "other.test"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def upstream_roots(upstream_authority: TestAuthority) -> str:
    return str(upstream_authority.file)


@pytest.fixture
async def rig(upstream: Upstream, upstream_roots: str) -> AsyncIterator[Rig]:
    async with running(upstream, roots=upstream_roots) as made:
        yield made


@pytest.fixture
def raw_context(upstream_authority: TestAuthority) -> ssl.SSLContext:
    """TLS of a destination `raw.test` that speaks HTTP/1."""
    pair = upstream_authority.issue("raw.test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context
