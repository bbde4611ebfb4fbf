"""What the readers of one registry protocol each look at, and how they say what they found."""

from dataclasses import dataclass
from typing import Protocol

from firewall.action import Kind
from firewall.classify.meaning import Meaning, Subject


@dataclass(slots=True, kw_only=True)  # one for all readers: making eight costs more than they do
class Asked:
    """`path`: the decoded segments, without the empty one behind a last slash. `named`: the operator says that it is spoken
    here; otherwise only forms that nothing else has are taken for it."""

    subject: Subject
    service: str
    path: tuple[str, ...]
    named: bool

    @property
    def method(self) -> str:
        return self.subject.request.method

    @property
    def last(self) -> str:
        return self.path[-1] if self.path else ""

    @property
    def reads(self) -> bool:
        return self.method in ("GET", "HEAD")

    def says(self, name: bytes, *words: str) -> bool:
        """Whether a header field holds one of these, in lower case."""
        value = (self.subject.field(name) or "").lower()
        return any(word in value for word in words)

    def means(
        self,
        operation: str,
        kind: Kind = Kind.READ,
        *,
        package: str = "",
        version: str = "",
        lowers: bool = False,
        slashes: bool = False,
        details: dict[str, str] | None = None,
    ) -> Meaning:
        """`kind`: at least this; the method says the rest."""
        resource = {name: value for name, value in (("package", package), ("version", version)) if value}
        return Meaning(
            service=self.service, operation=operation, kind=kind, lowers=lowers and self.named, sure=self.named,
            resource=resource, slashes=slashes, details=details or {},
        )  # fmt: skip


class Reader(Protocol):
    def __call__(self, asked: Asked) -> Meaning | None: ...


class WantsBody(Protocol):
    def __call__(self, asked: Asked) -> bool: ...
