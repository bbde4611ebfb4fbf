import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from firewall.backends.postgres.authority import load_or_create
from firewall.seal import Sealer, Unsealable
from tests.conftest import Database

KEY = b"-----BEGIN PRIVATE KEY-----\nnobody may read this\n"


class Maker:
    def __init__(self, name: str = "ours") -> None:
        self.name = name
        self.calls = 0

    def __call__(self) -> tuple[str, bytes]:
        self.calls += 1
        return f"certificate of {self.name}", KEY + self.name.encode()


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(database.app_dsn, min_size=1, max_size=8) as made:
        yield made


async def rows(database: Database) -> list[Any]:
    connection = await asyncpg.connect(database.super_dsn)
    try:
        found: list[Any] = await connection.fetch("select cert_pem, sealed_key from aaf.certificate_authority")
        return found
    finally:
        await connection.close()


async def test_the_first_one_makes_it_and_all_others_find_it(pool: asyncpg.Pool, sealer: Sealer) -> None:
    first, second = Maker("first"), Maker("second")
    assert await load_or_create(pool, sealer, first) == ("certificate of first", KEY + b"first")
    assert await load_or_create(pool, sealer, second) == ("certificate of first", KEY + b"first")
    assert (first.calls, second.calls) == (1, 0)


async def test_gateways_that_make_one_at_once_all_get_the_same(pool: asyncpg.Pool, sealer: Sealer, database: Database) -> None:
    got = await asyncio.gather(*(load_or_create(pool, sealer, Maker(str(number))) for number in range(8)))
    assert len(set(got)) == 1
    assert len(await rows(database)) == 1


async def test_the_key_lies_there_sealed(pool: asyncpg.Pool, sealer: Sealer, database: Database) -> None:
    await load_or_create(pool, sealer, Maker())
    (row,) = await rows(database)
    assert row["cert_pem"] == "certificate of ours"
    assert b"nobody may read this" not in row["sealed_key"]
    assert b"PRIVATE KEY" not in row["sealed_key"]


async def test_another_master_key_opens_nothing_and_makes_nothing(pool: asyncpg.Pool, sealer: Sealer, database: Database) -> None:
    await load_or_create(pool, sealer, Maker())
    other = Maker("other")
    with pytest.raises(Unsealable):
        await load_or_create(pool, Sealer(b"\x01" * 32), other)
    assert other.calls == 0
    assert len(await rows(database)) == 1


async def test_while_the_master_key_rotates_the_one_before_still_opens_it(pool: asyncpg.Pool, sealer: Sealer) -> None:
    await load_or_create(pool, sealer, Maker())
    rotating = Sealer(b"\x01" * 32, bytes(32))
    assert await load_or_create(pool, rotating, Maker("other")) == ("certificate of ours", KEY + b"ours")
