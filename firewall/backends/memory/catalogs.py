"""The users' catalogs in memory: postgres/migrations/0005_catalogs.sql in Python."""

from collections.abc import Callable, Mapping

from firewall.catalogs import AddCatalog, RemoveCatalog


class MemoryCatalogs:
    def __init__(self) -> None:
        self._in_force: dict[str, AddCatalog] = {}
        self._on_change: list[Callable[[], None]] = []
        self.texts: Mapping[str, str] = {}

    def on_change(self, callback: Callable[[], None]) -> None:
        self._on_change.append(callback)

    def apply(self, change: AddCatalog | RemoveCatalog) -> str | None:
        """The code with which it is lost, or None."""
        found = self._in_force.get(change.service)
        others = {service: each for service, each in self._in_force.items() if service != change.service}
        same = found is not None and found.revision == change.revision
        match change:
            case AddCatalog():
                if same:
                    return "same"
                if len(others) >= change.count_limit:
                    return "too-many"
                if sum(len(each.facts.encode()) for each in (*others.values(), change)) > change.bytes_limit:
                    return "too-large"
                others[change.service] = change
            case RemoveCatalog():
                if not same:
                    return "missing"
        self._in_force = others
        self.texts = {service: others[service].facts for service in sorted(others)}
        for callback in self._on_change:
            callback()
        return None
