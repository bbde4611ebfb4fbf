"""An OpenAPI 3 or Swagger 2 document → the facts of a catalog. Nothing is fetched, no reference leaves the document, nothing in it
is executed or trusted: kinds are only raised (`verbs`), and what cannot be read is refused by line or path.

A server or a path that nobody could match a request against is left out, and a note of the facts says so; a document that is left
with nothing is refused.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from firewall.action import Kind, stricter_kind
from firewall.classify.catalog.facts import MAX_NAME, BadFacts, Facts, Operation, Section, print_facts
from firewall.classify.catalog.openapi_described import Described, Description
from firewall.classify.catalog.openapi_text import BadDocument, read_tree
from firewall.classify.catalog.openapi_walk import describe
from firewall.classify.catalog.verbs import kind_of

__all__ = ["BadDocument", "KindOf", "combine", "read_openapi"]

MAX_NOTES = 20

KindOf = Callable[[Described], Kind]


def said_kind(operation: Described) -> Kind:
    return kind_of(operation.method, operation.path, operation.name)


def read_openapi(
    document: bytes | str,
    *,
    service: str,
    source: str,
    date: str,
    hosts: tuple[str, ...] = (),
    title: str | None = None,
    licence: str | None = None,
) -> Facts:
    """A user's document. `hosts`: globs that stand in place of the hosts that the document names. `date`: YYYY-MM-DD. `title` and
    `licence`: the document's own where left out. Raises BadDocument, and nothing else."""
    found = describe(read_tree(document), hosts)
    facts = combine(
        (found,),
        service=service,
        title=_line(title or found.title) or service,
        source=_line(source) or "a document",
        date=date,
        licence=_line(licence or found.licence) or "not said",
    )
    try:
        print_facts(facts)
    except BadFacts as error:
        raise BadDocument("the facts of it", str(error)[:500]) from None
    return facts


def combine(
    found: tuple[Description, ...],
    *,
    service: str,
    title: str,
    source: str,
    date: str,
    licence: str,
    notes: tuple[str, ...] = (),
    selves: tuple[str, ...] = (),
    kind: KindOf = said_kind,
) -> Facts:
    """One service's facts of one or several documents."""
    sections: dict[tuple[tuple[str, ...], str], dict[Any, Operation]] = {}
    for operation in (each for description in found for each in description.operations):
        fact = Operation(
            method=operation.method,
            template=operation.template,
            kind=kind(operation),
            operation=operation.name,
            headers=operation.headers,
        )
        for place in operation.places:
            section = sections.setdefault((place.hosts, place.base or "/"), {})
            twin = section.get(fact.order)
            section[fact.order] = fact if twin is None else replace(fact, kind=stricter_kind(fact.kind, twin.kind))
    said = [_line(note) for description in found for note in description.notes]
    if len(said) > MAX_NOTES:
        said[MAX_NOTES:] = [f"and {len(said) - MAX_NOTES} more such notes"]
    return Facts(
        service=service,
        title=title,
        source=source,
        date=date,
        licence=licence,
        notes=(*notes, *said),
        selves=selves,
        sections=tuple(
            Section(hosts=hosts, base=base, operations=tuple(sorted(operations.values(), key=lambda each: each.order)))
            for (hosts, base), operations in sorted(sections.items())
        ),
    )


def _line(text: str) -> str:
    """Prose from a document, fit for one line of the facts."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())[:MAX_NAME].strip()
