from collections.abc import AsyncIterator
from typing import Any

import pytest

from firewall.backends.postgres.store import Store
from firewall.seal import Sealer
from tests.worker.harness import World


@pytest.fixture
async def world(database: Any, sealer: Sealer) -> AsyncIterator[World]:
    store = await Store.connect(database.app_dsn, sealer=sealer, process="gateway")
    yield World(database, store)
    await store.close()
