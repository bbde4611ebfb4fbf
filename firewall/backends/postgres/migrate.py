"""Migrations: numbered `.sql` files, applied in order, each once, under an advisory lock."""

import contextlib
from pathlib import Path

import asyncpg

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x616166  # "aaf"


async def migrate(admin_dsn: str, *, app_role: str | None = None, app_password: str | None = None) -> list[str]:
    """Brings the database up to date and returns the names of the files applied.

    `app_role`: the login role of DATABASE_URL; it is created, with `app_password`, if it does not exist, and made a member of
    `aaf_app`, which may append and read and nothing else.
    """
    connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "create table if not exists public.aaf_migrations (name text primary key, applied_at timestamptz default now())"
        )
        done = {row["name"] for row in await connection.fetch("select name from public.aaf_migrations")}
        applied = []
        for file in sorted(MIGRATIONS.glob("*.sql")):
            if file.name in done:
                continue
            async with connection.transaction():
                await connection.execute(file.read_text())
                await connection.execute("insert into public.aaf_migrations (name) values ($1)", file.name)
            applied.append(file.name)
        if app_role is not None:
            await _login(connection, app_role, app_password)
        return applied
    finally:
        await connection.close()


async def _login(connection: asyncpg.Connection, role: str, password: str | None) -> None:
    name, secret = await connection.fetchrow("select quote_ident($1), quote_literal($2)", role, password or "")
    if not await connection.fetchval("select exists (select from pg_roles where rolname = $1)", role):
        # Another database of this server may be migrated at the same moment.
        with contextlib.suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await connection.execute(f"create role {name} login" + (f" password {secret}" if password else ""))
    elif password:
        await connection.execute(f"alter role {name} login password {secret}")
    await connection.execute(f"grant aaf_app to {name}")
