"""The process: what it needs, how it says that it is ready, and how it ends."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.control_api.harness import POLICY

ROOT = Path(__file__).parents[2]
KEY = "A" * 43 + "="
RUN = """
import sys
from control_api.main import main
from firewall.settings import load
sys.exit(main(load(), lifeline={}, ready={}))
"""

pytestmark = pytest.mark.asyncio


class Child:
    """`python -c` with a lifeline and a ready pipe, as `aaf up` starts it."""

    async def start(self, **env: str) -> None:
        life_read, self.life = os.pipe()
        ready_read, ready_write = os.pipe()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            RUN.format(life_read, ready_write),
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **env},
            pass_fds=(life_read, ready_write),
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        os.close(life_read)
        os.close(ready_write)
        self.ready = os.fdopen(ready_read)

    async def url(self) -> str:
        async with asyncio.timeout(30):
            line = await asyncio.to_thread(self.ready.readline)
        return str(orjson.loads(line)["api_url"])

    async def end(self) -> tuple[int, str]:
        async with asyncio.timeout(30):
            _, errors = await self.process.communicate()
        self.ready.close()
        return self.process.returncode or 0, errors.decode()


def env(database: Any, tmp_path: Path) -> dict[str, str]:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    return {
        "DATABASE_URL": database.app_dsn,
        "ENCRYPTION_MASTER_KEY": KEY,
        "AAF_API_PORT": "0",
        "AAF_POLICY_FILE": str(policy),
        "AAF_DRAIN_SECONDS": "5",
    }


async def test_it_announces_its_url_and_drains_on_sigterm(database: Any, tmp_path: Path) -> None:
    child = Child()
    await child.start(**env(database, tmp_path))
    url = await child.url()
    async with aiohttp.ClientSession() as session, session.get(url + "/health/live") as response:
        assert response.status == 200
    child.process.send_signal(signal.SIGTERM)
    status, errors = await child.end()
    os.close(child.life)
    assert status == 0, errors


async def test_it_ends_when_its_parent_is_gone(database: Any, tmp_path: Path) -> None:
    child = Child()
    await child.start(**env(database, tmp_path))
    await child.url()
    os.close(child.life)
    assert (await child.end())[0] == 0


@pytest.mark.parametrize("name", ["DATABASE_URL", "ENCRYPTION_MASTER_KEY"])
async def test_a_setting_that_is_missing_is_named(database: Any, tmp_path: Path, name: str) -> None:
    child = Child()
    await child.start(**{key: value for key, value in env(database, tmp_path).items() if key != name})
    status, errors = await child.end()
    os.close(child.life)
    assert (status, name in errors) == (2, True)


async def test_what_keeps_it_from_starting_is_named(database: Any, tmp_path: Path) -> None:
    good = env(database, tmp_path)
    bad = tmp_path / "bad.yaml"
    bad.write_text("version: 1\nrules: 7\n")
    for more, words in (
        ({"AAF_POLICY_FILE": str(bad)}, "line 2"),
        ({"AAF_POLICY_FILE": str(tmp_path / "none.yaml")}, "AAF_POLICY_FILE"),
        ({"DATABASE_URL": "postgres://aaf:secret@127.0.0.1:1/x"}, "DATABASE_URL"),
        ({"DATABASE_URL": database.admin_dsn}, "audit_log"),
    ):
        child = Child()
        await child.start(**{**good, **more})
        status, errors = await child.end()
        os.close(child.life)
        assert (status, words in errors, "secret" in errors) == (1, True, False), errors


async def test_streams_and_long_polls_end_at_once_when_it_drains(api: Any) -> None:
    etag = (await api.call("GET", "/v1/bundles/firewall.tar.gz", who="bundle")).headers["ETag"]
    headers = {"If-None-Match": etag, "Prefer": "wait=200"}
    poll = asyncio.create_task(api.call("GET", "/v1/bundles/firewall.tar.gz", who="bundle", headers=headers))
    async with api.session.get(api.url + "/v1/events", headers=api.keys["viewer"]) as response:
        await response.content.readline()
        api.context.closing.set()
        api.context.policy_hint.ring()
        async with asyncio.timeout(20):
            while await response.content.readline():
                pass
            assert (await poll).status == 304
