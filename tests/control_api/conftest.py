"""The control API on a database of its own, with the real OPA pulling its bundle where a test needs it."""

from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from firewall.catalog_head import shipped_text
from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import parse_facts, revision_of
from firewall.classify.catalog.index import BinaryIndex
from tests.control_api.harness import Api, opa_child, running, settings_for, until


@pytest.fixture(autouse=True)
def few_catalogs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One catalog that ships: to make all of them into an index takes many seconds."""
    monkeypatch.setattr("control_api.main.shipped_index", lambda _folder: github_index())
    monkeypatch.setattr("control_api.main.made", nothing)


async def nothing(_folder: Path) -> None:
    pass


@cache
def github_index() -> BinaryIndex:
    text = shipped_text("github")
    return BinaryIndex(build([(parse_facts(text), revision_of(text))]))


@pytest_asyncio.fixture
async def api(database: Any, tmp_path: Path) -> AsyncIterator[Api]:
    """Without OPA: every route but POST /v1/actions."""
    async with running(settings_for(database, tmp_path), database) as api:
        yield api


@pytest_asyncio.fixture
async def governed(database: Any, tmp_path: Path, opa_binary: Path) -> AsyncIterator[Api]:
    """With the real OPA, which has pulled the bundle."""
    socket = tmp_path / "opa.sock"
    async with (
        running(settings_for(database, tmp_path, OPA_URL=f"unix://{socket}"), database) as api,
        opa_child(opa_binary, socket, api.url, api.bundle_token, tmp_path),
    ):
        await until(lambda: api.context.opa is not None and api.context.opa.ready())
        yield api


@pytest.fixture
def wait_until() -> Any:
    return until
