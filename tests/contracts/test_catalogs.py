"""The users' catalogs: which are in force, and that every process has them without being started anew."""

import asyncio

import orjson
import pytest

from firewall.catalogs import ALL_FACTS_BYTES, FACTS_BYTES
from tests.contracts.backends import Backend, PostgresBackend, Process
from tests.contracts.scene import Scene, until


async def has(process: Process, texts: dict[str, str]) -> None:
    async def there() -> bool:
        return process.catalogs.texts == texts

    await until(there)


async def test_a_catalog_is_in_force_in_every_process_until_it_is_removed(scene: Scene, backend: Backend) -> None:
    other = await backend.process()
    assert other.catalogs.texts == {}
    assert await scene.adds_catalog("shop", "one") == "done"
    assert await scene.adds_catalog("bank", "two") == "done"
    for process in (scene.process, other):
        await has(process, {"bank": "two", "shop": "one"})
        assert list(process.catalogs.texts) == ["bank", "shop"]
    assert await scene.removes_catalog("shop", "one") == "done"
    for process in (scene.process, other):
        await has(process, {"bank": "two"})
    later = await backend.process()
    assert later.catalogs.texts == {"bank": "two"}, "who starts later has them from the start"


async def test_another_text_of_a_service_takes_the_place_of_the_first(scene: Scene) -> None:
    await scene.adds_catalog("shop", "one")
    assert await scene.adds_catalog("shop", "one") == "same"
    assert await scene.adds_catalog("shop", "two") == "done"
    await has(scene.process, {"shop": "two"})
    assert await scene.removes_catalog("shop", "one") == "missing", "somebody replaced it meanwhile"
    assert await scene.adds_catalog("shop", "one") == "done", "an older text may come back"
    await has(scene.process, {"shop": "one"})


async def test_what_is_not_there_cannot_be_removed(scene: Scene) -> None:
    assert await scene.removes_catalog("shop", "one") == "missing"
    await scene.adds_catalog("shop", "one")
    assert await scene.removes_catalog("shop", "one") == "done"
    assert await scene.removes_catalog("shop", "one") == "missing"


async def test_their_number_is_bounded_and_replacing_is_not_adding(scene: Scene) -> None:
    assert await scene.adds_catalog("a", "1", count_limit=2) == "done"
    assert await scene.adds_catalog("b", "1", count_limit=2) == "done"
    assert await scene.adds_catalog("c", "1", count_limit=2) == "too-many"
    assert await scene.adds_catalog("a", "2", count_limit=2) == "done"
    assert await scene.removes_catalog("b", "1") == "done"
    assert await scene.adds_catalog("c", "1", count_limit=2) == "done"
    await has(scene.process, {"a": "2", "c": "1"})


async def test_their_size_together_is_bounded_in_bytes(scene: Scene) -> None:
    assert await scene.adds_catalog("a", "x" * 6, bytes_limit=10) == "done"
    assert await scene.adds_catalog("b", "x" * 5, bytes_limit=10) == "too-large"
    assert await scene.adds_catalog("b", "ü" * 3, bytes_limit=10) == "too-large"
    assert await scene.adds_catalog("b", "x" * 4, bytes_limit=10) == "done"
    assert await scene.adds_catalog("a", "y" * 6, bytes_limit=10) == "done", "what it replaces does not count"


async def test_the_largest_text_that_is_taken_arrives_whole(scene: Scene, backend: Backend) -> None:
    text = "".join(f"{n:x}\t" for n in range(800_000))[:FACTS_BYTES]
    assert len(text) == FACTS_BYTES
    assert await scene.adds_catalog("shop", text, bytes_limit=ALL_FACTS_BYTES) == "done"
    await has(scene.process, {"shop": text})


async def test_who_wants_to_know_is_told_of_every_change_and_of_nothing_else(scene: Scene) -> None:
    told: list[dict[str, str]] = []
    scene.process.catalogs.on_change(lambda: told.append(dict(scene.process.catalogs.texts)))
    await scene.adds_catalog("shop", "one")
    await has(scene.process, {"shop": "one"})
    await scene.adds_catalog("shop", "one")
    await scene.creates_key("key_" + "0" * 32, "k")
    await scene.removes_catalog("shop", "one")
    await has(scene.process, {})
    assert told == [{"shop": "one"}, {}]


async def test_of_many_that_add_one_service_at_once_one_is_in_force(scene: Scene, backend: Backend) -> None:
    said = await asyncio.gather(*(scene.adds_catalog("shop", str(n)) for n in range(20)))
    assert set(said) == {"done"}
    last = [orjson.loads(row.body) for row in (await backend.chain()).rows][-1]
    assert last["event"] == "catalog.added"
    await has(scene.process, {"shop": last["catalog"].removeprefix("shop@sha256:")})


async def test_entries_say_which_catalog_and_who(scene: Scene, backend: Backend) -> None:
    await scene.adds_catalog("shop", "one")
    await scene.adds_catalog("shop", "one")
    await scene.removes_catalog("shop", "one")
    bodies = [orjson.loads(row.body) for row in (await backend.chain()).rows]
    written = [body for body in bodies if body["event"].startswith("catalog.")]
    assert [(body["event"], body["catalog"], body["by"]) for body in written] == [
        ("catalog.added", "shop@sha256:one", "ann"),
        ("catalog.removed", "shop@sha256:one", "bob"),
    ]
    assert (written[0]["hosts"], written[0]["operations"]) == (["a.test", "*.b.test"], 1)


async def test_what_was_in_force_stays_in_the_database(postgres: PostgresBackend) -> None:
    scene = Scene(await postgres.process())
    await scene.adds_catalog("shop", "one")
    await scene.adds_catalog("shop", "two")
    await scene.removes_catalog("shop", "two")
    rows = await postgres.sql("select facts, bytes, hosts, added_by, removed_by from aaf.catalogs order by added_at")
    assert [tuple(row) for row in rows] == [
        ("one", 3, ["a.test", "*.b.test"], "ann", "ann"),
        ("two", 3, ["a.test", "*.b.test"], "ann", "bob"),
    ]


async def test_a_change_that_nobody_told_of_is_seen_by_the_poll(postgres: PostgresBackend) -> None:
    scene = Scene(await postgres.process())
    await scene.adds_catalog("shop", "one")
    await has(scene.process, {"shop": "one"})
    await postgres.sql("update aaf.catalogs set removed_at = clock_timestamp()")  # no NOTIFY
    await postgres.sql("update aaf.versions set catalogs = catalogs + 1")
    await has(scene.process, {})


@pytest.mark.parametrize("function", ["aaf.change_add_catalog(jsonb)", "aaf.change_remove_catalog(jsonb)"])
async def test_the_applications_role_changes_them_through_the_one_door_alone(postgres: PostgresBackend, function: str) -> None:
    rows = await postgres.sql("select has_function_privilege('aaf_app', $1::text, 'execute') as may", function)
    assert rows[0]["may"] is False
