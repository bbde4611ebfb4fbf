"""Catalogs that users add: how they change, and who has them. What stands in one is docs/catalog-format.md."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from firewall.ids import CatalogId

COUNT_LIMIT = 100
"""Catalogs in force at a time."""
FACTS_BYTES = 4 << 20
"""Of one catalog's fact text: about 40,000 operations, which take a process four seconds to read."""
ALL_FACTS_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCatalog:
    """Put a user's catalog in force, in the place of the one of its service that is. `facts`: its text (docs/catalog-format.md);
    `revision`: what names the text in decisions (`revision_of`). `count_limit`, `bytes_limit`: what all in force may come to.
    Lost with code `same` (this one is in force already), `too-many` or `too-large`."""

    catalog_id: CatalogId
    service: str
    revision: str
    facts: str
    hosts: tuple[str, ...]
    operations: int
    by: str
    count_limit: int
    bytes_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveCatalog:
    """Lost with code `missing`, also when another revision is in force by now."""

    service: str
    revision: str
    by: str


class Catalogs(Protocol):
    """The users' catalogs that are in force."""

    @property
    def texts(self) -> Mapping[str, str]:
        """Service → fact text, by service in order; from memory. Another object after every change."""
        ...

    def on_change(self, callback: Callable[[], None]) -> None:
        """`callback` runs whenever `texts` has changed."""
