"""The first admin key of an installation without `aaf up`: made once, in the chain, and never a second time."""

import asyncio
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import asyncpg
import orjson

ROOT = Path(__file__).parents[2]
KEY = "A" * 43 + "="


async def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "deploy" / "first_key.py"),
        *arguments,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, errors = await process.communicate()
    return process.returncode or 0, out.decode(), errors.decode()


async def test_it_makes_one_admin_key_and_no_second(database: Any) -> None:
    environment = {"DATABASE_URL": database.app_dsn, "ENCRYPTION_MASTER_KEY": KEY}
    status, out, errors = await run("ann", **environment)
    assert status == 0, errors
    assert (await run("bob", **environment))[:2] == (1, "")
    connection = await asyncpg.connect(database.super_dsn)
    try:
        keys = await connection.fetch("select name, role, hash from aaf.api_keys")
        bodies = await connection.fetch("select body from aaf.audit_log where event = 'key.created'")
    finally:
        await connection.close()
    assert [(key["name"], key["role"], key["hash"]) for key in keys] == [
        ("ann", "admin", hashlib.sha256(out.strip().encode()).digest())
    ]
    assert [orjson.loads(row["body"])["key_name"] for row in bodies] == ["ann"]


async def test_what_is_missing_is_named(database: Any) -> None:
    assert (await run())[0] == 2
    status, _, errors = await run("ann", DATABASE_URL=database.app_dsn)
    assert (status, "ENCRYPTION_MASTER_KEY" in errors) == (2, True)
    status, _, errors = await run("ann", DATABASE_URL="postgresql://aaf:hush@127.0.0.1:1/x", ENCRYPTION_MASTER_KEY=KEY)
    assert (status, "DATABASE_URL" in errors, "hush" in errors) == (1, True, False)
