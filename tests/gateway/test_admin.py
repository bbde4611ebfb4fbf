"""Health and metrics, over a real Postgres, a real OPA, and numbers that a real process wrote."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from firewall.policy import demo_document
from firewall.settings import Settings, load
from gateway.admin import Admin
from gateway.children import Workers
from tests.conftest import Database
from tests.control_api.relay import Relay
from tests.opa_server import bundle_of, serving

STATES = [{"worker": 0, "ready": True, "restarts": 3}, {"worker": 1, "ready": True, "restarts": 0}]


class Counted:
    """As much of the workers as health and metrics look at."""

    ready = 2
    restarts = 3

    def states(self) -> list[dict[str, int | bool]]:
        return STATES


@pytest.fixture(scope="module")
def opa_url(opa_binary: Path) -> Iterator[str]:
    with serving(opa_binary, bundle_of(demo_document())) as url:
        yield url


def settings(database: Database, opa_url: str, **more: str) -> Settings:
    return load({"DATABASE_URL": database.app_dsn, "OPA_URL": opa_url, "AAF_GATEWAY_ADMIN_PORT": "0", **more})


@asynccontextmanager
async def serving_admin(given: Settings, folder: Path) -> AsyncIterator[Admin]:
    admin = Admin(given, cast(Workers, Counted()), str(folder))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.stop()


async def get(url: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json() if "json" in response.content_type else await response.text()


async def test_ready_names_every_dependency(database: Database, opa_url: str, tmp_path: Path) -> None:
    async with serving_admin(settings(database, opa_url), tmp_path) as admin:
        checks = {"postgres": True, "opa": True, "workers": True, "accepting": True}
        assert await get(admin.url + "/health/ready") == (200, {"status": "ok", "checks": checks, "workers": STATES})


@pytest.mark.parametrize("missing", ["postgres", "opa", "workers", "accepting"])
async def test_what_is_missing_is_named_and_it_lives_all_the_same(
    database: Database, opa_url: str, tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    match missing:
        case "postgres":
            given = settings(database, opa_url, DATABASE_URL="postgresql://aaf:x@127.0.0.1:1/x")
        case "opa":
            given = settings(database, "unix:///nonexistent")
        case _:
            given = settings(database, opa_url)
    if missing == "workers":
        monkeypatch.setattr(Counted, "ready", 0)
    async with serving_admin(given, tmp_path) as admin:
        admin.draining = missing == "accepting"
        status, body = await get(admin.url + "/health/ready")
        assert (status, body["status"]) == (503, "unavailable")
        assert [name for name, ok in body["checks"].items() if not ok] == [missing]
        assert await get(admin.url + "/health/live") == (200, {"status": "ok"})


async def test_a_database_that_comes_back_is_ready_again(database: Database, opa_url: str, tmp_path: Path) -> None:
    relay = Relay(database.app_dsn)
    await relay.start()
    async with serving_admin(settings(database, opa_url, DATABASE_URL=relay.dsn), tmp_path) as admin:
        for up in (True, False, True):
            await (relay.start() if up and relay._server is None else relay.stop() if not up else _nothing())
            assert (await get(admin.url + "/health/ready"))[0] == (200 if up else 503)
    await relay.stop()


async def test_without_the_settings_nothing_is_ready(tmp_path: Path) -> None:
    async with serving_admin(load({"AAF_GATEWAY_ADMIN_PORT": "0"}), tmp_path) as admin:
        status, body = await get(admin.url + "/health/ready")
        assert (status, body["checks"]["postgres"], body["checks"]["opa"]) == (503, False, False)


COUNTS = """
from addons import metrics
metrics.DECISIONS.labels("deny").inc()
metrics.HELD.set(5)
"""


async def test_metrics_add_up_what_all_workers_counted(database: Database, opa_url: str, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    for _ in range(2):
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": ":".join([str(root), *sys.path])}
        subprocess.run([sys.executable, "-c", COUNTS], check=True, cwd=root, env=environment)
    async with serving_admin(settings(database, opa_url), tmp_path) as admin:
        status, text = await get(admin.url + "/metrics")
    lines = text.splitlines()
    assert status == 200
    assert 'aaf_decisions_total{effect="deny"} 2.0' in lines
    assert "aaf_held_requests 10.0" in lines
    assert "aaf_workers_ready 2" in lines
    assert "aaf_worker_restarts_total 3" in lines
    assert not any(word in text for word in ("agent=", "host=", "path="))


async def test_it_is_served_on_loopback_alone_and_nothing_else_is_there(database: Database, opa_url: str, tmp_path: Path) -> None:
    async with serving_admin(settings(database, opa_url), tmp_path) as admin:
        assert admin.url.startswith("http://127.0.0.1:")
        for path in ("/", "/v1/agents", "/health"):
            assert (await get(admin.url + path))[0] == 404
        url = admin.url
    with pytest.raises(aiohttp.ClientConnectorError):
        await get(url + "/health/live")


async def _nothing() -> None:
    pass
