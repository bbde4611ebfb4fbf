"""`schema.sql`, the file to read, and the migrations, the files that run, make the same database: everything that the catalogs
say of the schema `aaf`, compared line by line."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from firewall.backends.embedded.postgres import ADMIN, APP
from firewall.backends.postgres import migrate as migrations
from firewall.backends.postgres.migrate import MIGRATIONS, migrate
from tests.conftest import Database, PostgresServer

SCHEMA = Path(migrations.__file__).parent / "schema.sql"

CATALOGS = {
    "relations": """
        select format('%s %s kind=%s persistence=%s owner=%s options=%s partition=%s of=%s', c.oid::regclass, c.relname, c.relkind,
                      c.relpersistence, pg_get_userbyid(c.relowner), c.reloptions, pg_get_partkeydef(c.oid),
                      pg_get_expr(c.relpartbound, c.oid))
        from pg_class c where c.relnamespace = 'aaf'::regnamespace""",
    "columns": """
        select format('%s.%s %s position=%s not_null=%s default=%s identity=%s generated=%s collation=%s', a.attrelid::regclass,
                      a.attname, format_type(a.atttypid, a.atttypmod), a.attnum, a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
                      a.attidentity, a.attgenerated, a.attcollation::regcollation)
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
        where c.relnamespace = 'aaf'::regnamespace and a.attnum > 0 and not a.attisdropped""",
    "constraints": """
        select format('%s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        from pg_constraint where connamespace = 'aaf'::regnamespace""",
    "indexes": """
        select indexdef from pg_indexes where schemaname = 'aaf'""",
    "functions": """
        select pg_get_functiondef(oid) || ' owner=' || pg_get_userbyid(proowner)
        from pg_proc where pronamespace = 'aaf'::regnamespace""",
    "triggers": """
        select pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where c.relnamespace = 'aaf'::regnamespace and not t.tgisinternal""",
    "policies": """
        select format('%s %s', p.polrelid::regclass, p.polname) from pg_policy p join pg_class c on c.oid = p.polrelid
        where c.relnamespace = 'aaf'::regnamespace""",
    "types": """
        select format('%s %s', typname, typtype) from pg_type where typnamespace = 'aaf'::regnamespace""",
    "grants on relations": """
        select format('%s to %s: %s', c.oid::regclass, case when g.grantee = 0 then 'public' else g.grantee::regrole::text end,
                      g.privilege_type)
        from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g
        where c.relnamespace = 'aaf'::regnamespace""",
    "grants on functions": """
        select format('%s to %s: %s', p.oid::regprocedure, case when g.grantee = 0 then 'public' else g.grantee::regrole::text end,
                      g.privilege_type)
        from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g where p.pronamespace = 'aaf'::regnamespace""",
    "grants on the schema": """
        select format('to %s: %s', case when g.grantee = 0 then 'public' else g.grantee::regrole::text end, g.privilege_type)
        from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) g where n.nspname = 'aaf'""",
    "default privileges": """
        select format('%s %s %s %s', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl)
        from pg_default_acl""",
    "rows that a fresh database has": """
        select format('versions %s %s %s', agents, policy, catalogs) from aaf.versions
        union all select format('head %s %s %s', regexp_replace(origin, '[0-9a-f]{24}$', '…'), size, encode(last_leaf, 'hex'))
                  from aaf.audit_head
        union all select format('writer %s', id) from aaf.writers""",
}  # fmt: skip


async def described(dsn: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(dsn)
    try:
        return {name: sorted(str(row[0]) for row in await connection.fetch(query)) for name, query in CATALOGS.items()}
    finally:
        await connection.close()


async def run(dsn: str, text: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(text)
    finally:
        await connection.close()


@pytest.fixture
async def empty(server: PostgresServer) -> AsyncIterator[Database]:
    """A database without a schema."""
    made = await server.create()
    await run(made.super_dsn, "drop schema aaf cascade; drop table public.aaf_migrations")
    yield made
    await server.drop(made)


@pytest.fixture
async def migrated(server: PostgresServer) -> AsyncIterator[Database]:
    made = await server.create()
    yield made
    await server.drop(made)


async def test_the_schema_and_the_migrations_make_the_same_database(empty: Database, migrated: Database) -> None:
    await run(empty.admin_dsn, SCHEMA.read_text())
    schema, migrations_ = await described(empty.admin_dsn), await described(migrated.admin_dsn)
    for name in CATALOGS:
        assert schema[name] == migrations_[name], name
    assert len(schema["relations"]) > 30
    assert len(schema["functions"]) > 15


@pytest.mark.parametrize(
    ("change", "catalog"),
    [
        ("create table aaf.more (id uuid)", "relations"),
        ("alter table aaf.writers set (fillfactor = 60)", "relations"),
        ("alter table aaf.agents add column colour text", "columns"),
        ("alter table aaf.agents alter column name drop not null", "columns"),
        ("alter table aaf.policies alter column message set default 'x'", "columns"),
        ("alter table aaf.agents add constraint named check (name <> '')", "constraints"),
        ("create index more on aaf.agents (created_at)", "indexes"),
        ("create or replace function aaf.leave(p_actions uuid[]) returns void language sql as ''", "functions"),
        ("alter function aaf.heartbeat(uuid) security invoker", "functions"),
        ("alter function aaf.heartbeat(uuid) reset search_path", "functions"),
        ("grant insert on aaf.audit_log to aaf_app", "grants on relations"),
        ("grant execute on function aaf.apply_change(uuid, jsonb) to aaf_app", "grants on functions"),
        ("grant create on schema aaf to aaf_app", "grants on the schema"),
    ],
)  # fmt: skip
async def test_the_comparison_sees_a_difference(migrated: Database, change: str, catalog: str) -> None:
    before = await described(migrated.admin_dsn)
    await run(migrated.admin_dsn, change)
    assert (await described(migrated.admin_dsn))[catalog] != before[catalog]


async def test_migrations_are_applied_in_order_and_once(empty: Database) -> None:
    names = sorted(file.name for file in MIGRATIONS.glob("*.sql"))
    assert [name[:4] for name in names] == [f"{i:04d}" for i in range(1, len(names) + 1)]
    assert await migrate(empty.admin_dsn, app_role=APP) == names
    assert await migrate(empty.admin_dsn, app_role=APP) == []


async def test_many_may_migrate_at_once(empty: Database) -> None:
    applied = await asyncio.gather(*(migrate(empty.admin_dsn) for _ in range(5)))
    assert sorted(len(names) for names in applied) == [0, 0, 0, 0, len(list(MIGRATIONS.glob("*.sql")))]


async def test_a_migration_that_fails_leaves_nothing_behind(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001_good.sql").write_text("create table public.good (id int);")
    (tmp_path / "0002_bad.sql").write_text("create table public.half (id int); select 1 / 0;")
    monkeypatch.setattr(migrations, "MIGRATIONS", tmp_path)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty.admin_dsn)
    connection = await asyncpg.connect(empty.admin_dsn)
    try:
        found = await connection.fetchrow("select to_regclass('public.good') as good, to_regclass('public.half') as half")
        assert (found["good"], found["half"]) == ("good", None)
        assert [row["name"] for row in await connection.fetch("select name from public.aaf_migrations")] == ["0001_good.sql"]
    finally:
        await connection.close()


async def test_the_owner_owns_everything_and_the_application_nothing(migrated: Database) -> None:
    connection = await asyncpg.connect(migrated.admin_dsn)
    try:
        owners = await connection.fetch(
            "select distinct pg_get_userbyid(relowner) as name from pg_class where relnamespace = 'aaf'::regnamespace"
            " union select pg_get_userbyid(proowner) from pg_proc where pronamespace = 'aaf'::regnamespace"
        )
    finally:
        await connection.close()
    assert [row["name"] for row in owners] == [ADMIN]
