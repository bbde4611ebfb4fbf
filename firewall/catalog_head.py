"""What a catalog says of itself, read from the beginning and the marks of its lines: cheaper than reading all of its facts, and
for texts that are known to be good."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from firewall.classify.catalog.facts import FIELDS, revision_of
from firewall.classify.known import PSEUDO
from firewall.dialects import SUFFIX, shipped_services


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`hosts`: sorted, without the places that are no hosts. `operations`: how many, each counted once."""

    service: str
    revision: str
    title: str
    source: str
    date: str
    licence: str
    notes: tuple[str, ...]
    hosts: tuple[str, ...]
    operations: int


def head_of(text: str) -> Head:
    """Raises ValueError for what does not begin as facts do."""
    lines = text.split("\n")
    said = [line.partition("\t") for line in lines[1 : len(FIELDS) + 1]]
    if tuple(name for name, _, _ in said) != FIELDS:
        raise ValueError("not the text of facts")
    hosts = {host for line in lines if line.startswith("at\t") for host in line.split("\t")[1].split(",")}
    return Head(
        **{name: value for name, _, value in said},
        revision=revision_of(text),
        notes=tuple(line[5:] for line in lines if line.startswith("note\t")),
        hosts=tuple(sorted(host for host in hosts if not host.endswith(PSEUDO))),
        operations=len({line for line in lines if line.startswith("op\t")}),
    )


@cache
def shipped() -> dict[str, Head]:
    """Service → head, sorted, of every catalog that ships."""
    return {service: head_of(shipped_text(service)) for service in sorted(shipped_services())}


def shipped_text(service: str) -> str:
    """Of one of `shipped_services()`."""
    return files("firewall.classify").joinpath("facts", service + SUFFIX).read_text("utf-8")
