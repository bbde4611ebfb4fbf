"""What this gateway knows of services right now: the catalogs that ship, the users', and the active policy's `dialects`."""

from collections.abc import Callable, Mapping

from firewall.classify.known import Empty, Index, Known


class Knowledge:
    """Call it for what counts now. `speakers` gives the active policy's `dialects`, the same object until they change."""

    def __init__(self, shipped: Index, speakers: Callable[[], Mapping[str, tuple[str, ...]]]) -> None:
        self._shipped = shipped
        self._users: Index = Empty()
        self._speakers = speakers
        self._seen: Mapping[str, tuple[str, ...]] = {}
        self._known = Known(shipped=shipped)

    def __call__(self) -> Known:
        speakers = self._speakers()
        if speakers is not self._seen:
            self._seen = speakers
            self._renew()
        return self._known

    def learn(self, users: Index) -> None:
        """The users' catalogs changed."""
        self._users = users
        self._renew()

    def _renew(self) -> None:
        self._known = Known(shipped=self._shipped, users=self._users, speakers=self._seen)
