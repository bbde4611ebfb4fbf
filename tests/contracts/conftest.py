"""Each contract test runs in memory, on the newest PostgreSQL that ships and on the oldest that is supported."""

from collections.abc import AsyncIterator

import pytest

from firewall.seal import Sealer
from tests.conftest import PostgresServer
from tests.contracts.backends import Backend, MemoryBackend, PostgresBackend
from tests.contracts.scene import Scene

SERVERS = {"postgres18": "postgres_server", "postgres16": "postgres16_server"}


@pytest.fixture(params=["memory", *SERVERS])
def server_or_memory(request: pytest.FixtureRequest) -> PostgresServer | None:
    """None: memory. Not asynchronous, for the servers' fixtures run a loop of their own."""
    if request.param == "memory":
        return None
    server: PostgresServer = request.getfixturevalue(SERVERS[request.param])
    return server


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> PostgresServer:
    started: PostgresServer = request.getfixturevalue(SERVERS[request.param])
    return started


@pytest.fixture
async def backend(server_or_memory: PostgresServer | None, sealer: Sealer) -> AsyncIterator[Backend]:
    if server_or_memory is None:
        yield MemoryBackend()
        return
    made = PostgresBackend(await server_or_memory.create(), sealer)
    yield made
    await made.close()
    await server_or_memory.drop(made.database)


@pytest.fixture
async def postgres(server: PostgresServer, sealer: Sealer) -> AsyncIterator[PostgresBackend]:
    made = PostgresBackend(await server.create(), sealer)
    yield made
    await made.close()
    await server.drop(made.database)


@pytest.fixture
async def scene(backend: Backend) -> Scene:
    made = Scene(await backend.process())
    await made.begins()
    return made
