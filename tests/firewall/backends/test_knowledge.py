"""What classification goes by, as catalogs come and go and policies change."""

from pathlib import Path

import pytest

from firewall.backends import knowledge
from firewall.backends.knowledge import Knowledge
from firewall.backends.memory.catalogs import MemoryCatalogs
from firewall.catalogs import AddCatalog, RemoveCatalog
from firewall.classify.known import Empty
from firewall.egress import Destinations
from firewall.ids import CatalogId


def facts(service: str, operation: str = "a.get") -> str:
    return (
        f"aaf-facts/1\nservice\t{service}\ntitle\tt\nsource\ts\ndate\t2026-01-01\nlicence\tl\n"
        f"at\t{service}.test\t/\nop\tGET\t/a\tread\t{operation}\n"
    )


class Revisions:
    def __init__(self) -> None:
        self.active: str | None = None
        self.destinations: dict[str, Destinations] = {}

    def kept(self, revision: str) -> Destinations | None:
        return self.destinations.get(revision)

    async def find(self, revision: str) -> Destinations | None:
        return self.kept(revision)


def add(catalogs: MemoryCatalogs, service: str, text: str) -> None:
    change = AddCatalog(
        catalog_id=CatalogId("cat_1"), service=service, revision=text, facts=text, hosts=(), operations=1, by="ann", count_limit=9,
        bytes_limit=9999,
    )  # fmt: skip
    assert catalogs.apply(change) is None


def named(known: Knowledge, host: str) -> str | None:
    match = known().users.look_up(host, "GET", ("a",), "", frozenset())
    return None if match is None else match.operation


async def test_catalogs_come_are_replaced_and_go() -> None:
    catalogs = MemoryCatalogs()
    add(catalogs, "first", facts("first"))
    known = await Knowledge.open(Empty(), catalogs, Revisions())
    assert named(known, "first.test") == "a.get", "what is there at the start is read at the start"
    add(catalogs, "second", facts("second"))
    add(catalogs, "first", facts("first", "a.renamed"))
    await known.settled()
    assert (named(known, "first.test"), named(known, "second.test")) == ("a.renamed", "a.get")
    text = facts("second")
    assert catalogs.apply(RemoveCatalog(service="second", revision=text, by="ann")) is None
    await known.settled()
    assert (named(known, "first.test"), named(known, "second.test")) == ("a.renamed", None)
    await known.close()
    add(catalogs, "third", facts("third"))
    await known.settled()
    assert named(known, "third.test") is None, "it follows no more"


async def test_a_text_that_cannot_be_read_names_nothing_and_harms_no_other() -> None:
    catalogs = MemoryCatalogs()
    add(catalogs, "broken", "aaf-facts/9\n")
    add(catalogs, "good", facts("good"))
    known = await Knowledge.open(Empty(), catalogs, Revisions())
    assert named(known, "good.test") == "a.get"
    await known.close()


def test_where_nothing_can_be_kept_the_catalogs_that_ship_are_made_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knowledge, "shipped_texts", lambda: {"shop.facts": facts("shop").encode()})
    (tmp_path / "file").write_text("")
    index = knowledge.shipped_index(tmp_path / "file" / "below")
    match = index.look_up("shop.test", "GET", ("a",), "", frozenset())
    assert match is not None
    assert match.operation == "a.get"


async def test_the_active_policy_says_who_speaks_what_and_nothing_is_made_anew_while_nothing_changes() -> None:
    revisions = Revisions()
    revisions.destinations = {"sha256:1": Destinations(speakers={"mcp": ("tools.test",)})}
    known = await Knowledge.open(Empty(), MemoryCatalogs(), revisions)
    assert not known().speaks("mcp", "tools.test")
    assert known() is known()
    revisions.active = "sha256:1"
    assert known().speaks("mcp", "tools.test")
    assert not known().speaks("git", "tools.test")
    assert known() is known()
    revisions.active = "sha256:gone"
    assert not known().speaks("mcp", "tools.test")
    await known.close()
