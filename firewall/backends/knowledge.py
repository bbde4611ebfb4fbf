"""What classification goes by now: the catalogs that ship, those of users as the database has them, and what the active policy says
of hosts. One for each process."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import structlog

from firewall.backends.catalogs import load_shipped, shipped_texts
from firewall.catalogs import Catalogs
from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import parse_facts, revision_of
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.catalog.texts import binary_of
from firewall.classify.catalog.together import Together
from firewall.classify.known import Index, Known
from firewall.ports import Revisions

_NOBODY: Mapping[str, tuple[str, ...]] = {}

log = structlog.get_logger()


class Knowledge:
    """Call it for every request. Build with `Knowledge.open`, end with `close`."""

    def __init__(self, shipped: Index, catalogs: Catalogs, revisions: Revisions) -> None:
        self.shipped = shipped
        self._catalogs = catalogs
        self._revisions = revisions
        self._texts: Mapping[str, str] = {}
        self._read: dict[str, BinaryIndex | None] = {}
        self._users = Together(())
        self._known = Known(shipped=shipped, users=self._users)
        self._reading: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(cls, shipped: Index, catalogs: Catalogs, revisions: Revisions) -> "Knowledge":
        """With the users' catalogs that are in force read."""
        made = cls(shipped, catalogs, revisions)
        catalogs.on_change(made._wake)
        made._wake()
        await made.settled()
        return made

    def __call__(self) -> Known:
        active = self._revisions.active
        found = None if active is None else self._revisions.kept(active)
        speakers = _NOBODY if found is None else found.speakers
        known = self._known
        # The same object while nothing changed: this runs for every request.
        if known.speakers is not speakers or known.users is not self._users or known.shipped is not self.shipped:
            known = self._known = Known(shipped=self.shipped, users=self._users, speakers=speakers)
        return known

    async def settled(self) -> None:
        """Until the catalogs that the database had when this was called are read."""
        if self._reading is not None:
            await self._reading

    async def close(self) -> None:
        self._closed = True
        await self.settled()

    def _wake(self) -> None:
        if self._reading is None and not self._closed:
            self._reading = asyncio.get_running_loop().create_task(self._follow())

    async def _follow(self) -> None:
        try:
            while self._texts is not self._catalogs.texts and not self._closed:
                texts = self._catalogs.texts
                read: dict[str, BinaryIndex | None] = {}
                for text in texts.values():
                    read[text] = self._read[text] if text in self._read else await asyncio.to_thread(_index, text)
                if texts or self._texts:
                    log.info("catalogs.read", services=sorted(texts))
                self._texts, self._read = texts, read
                self._users = Together([index for index in read.values() if index is not None])
        finally:
            self._reading = None


def shipped_index(folder: Path) -> Index:
    """The catalogs that ship, from the file that this machine made of them; made in memory where no file can be written."""
    try:
        return load_shipped(folder)
    except (OSError, ValueError) as error:
        log.warning("catalogs.not-kept", error=type(error).__name__)
        texts = shipped_texts()
        return BinaryIndex(binary_of([texts[name].decode() for name in sorted(texts)], bytes(32)))


def _index(text: str) -> BinaryIndex | None:
    """None for a text that this version cannot read: it names nothing, and what it described is as strict as if nobody had."""
    try:
        facts = parse_facts(text)
        return BinaryIndex(build([(facts, revision_of(text))]))
    except Exception as error:
        log.error("catalogs.unreadable", error=f"{type(error).__name__}: {error}"[:300])
        return None
