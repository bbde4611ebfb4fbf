"""What the words of an operation say that it does, where its method says less: `GET /pods/{name}/exec`, a POST named `deleteUser`.

Reviewed by hand. A word raises a kind wherever a document comes from; what may lower one (`Reviewed`) is for shipped catalogs
alone, because it trusts the vendor's own word at the vendor's own place.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from firewall.action import Kind, stricter_kind
from firewall.classify.generic import method_kind


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


CLEAR = {
    Kind.DELETE: _set(
        "del delete deprovision destroy drop erase expunge obliterate prune purge remove revoke rm terminate trash truncate"
        " uninstall unlink unpublish wipe"
    ),
    Kind.EXECUTE: _set("connect eval exec execute invoke kill portforward reboot rerun shutdown"),
    Kind.WRITE: _set(
        "accept activate add append approve assign create deactivate disable edit enable enqueue increment insert invite"
        " modify publish reject rename replace save send submit subscribe unassign unsubscribe update upload upsert write"
    ),
}
"""Words that mean this wherever they stand."""

VAGUE = {
    Kind.EXECUTE: _set("build call deploy dispatch fire launch play proxy replay restart retry run start stop trigger"),
    Kind.WRITE: _set(
        "archive attach cancel capture charge clear clone close confirm copy fork grant import join lock mark merge migrate"
        " move notify patch pay pin post push put refund register resend reset restore rotate schedule set sync transfer unlock"
    ),
}
"""Words that are as often nouns (`get-workflow-run`): they count where a verb stands, unless the name says `get` or the like."""

READS = _set(
    "autocomplete browse check compare count describe download estimate exists fetch find get has head index introspect is"
    " list lookup preview query read retrieve search show stat status suggest validate verify view watch"
)

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_PARTS = re.compile(r"[/.:#\s]+|(?<=[a-z])_(?=[A-Z])")
_HOLE = re.compile(r"\{[^{}]*\}")
_AND = frozenset({"and", "or"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """`verbs` make a POST a read at one vendor's place. Operations, by name, that were looked at one by one: `reads`, whatever
    words stand in them; and those that are at least a write, an execution or a deletion, though no word says so."""

    verbs: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    executes: frozenset[str] = frozenset()
    deletes: frozenset[str] = frozenset()


NOTHING_REVIEWED = Reviewed()


def kind_of(method: str, template: str, operation: str, reviewed: Reviewed = NOTHING_REVIEWED) -> Kind:
    """Never milder than the method, but for what `reviewed` allows a POST to be. An operation without a name is reviewed as
    `METHOD template`."""
    floor = method_kind(method)
    if (operation or f"{method} {template}") in reviewed.reads and floor in (Kind.READ, Kind.WRITE):
        return Kind.READ
    said = _said(template, operation)
    for kind, listed in (
        (Kind.WRITE, reviewed.writes),
        (Kind.EXECUTE, reviewed.executes),
        (Kind.DELETE, reviewed.deletes),
    ):
        if operation in listed:
            said = stricter_kind(said, kind)
    if method == "POST" and said is Kind.READ:
        heads, last, _ = _verbs(operation)
        if not reviewed.verbs.isdisjoint({*heads, last}):
            return Kind.READ
    return stricter_kind(floor, said)


def _said(template: str, operation: str) -> Kind:
    heads, last, every = _verbs(operation)
    reads = not READS.isdisjoint({*heads, last})
    verbs = {*heads, last, *_joined(every)}
    kind = _strictest(CLEAR, verbs)
    if kind is Kind.READ and not reads:
        kind = stricter_kind(_strictest(CLEAR, set(every)), _strictest(VAGUE, {*heads, last}))
    elif not reads:
        kind = stricter_kind(kind, _strictest(VAGUE, heads))
    words = _last_literal(template)
    kind = stricter_kind(kind, _strictest(CLEAR, {words[0], words[-1]} if words else set()))
    return kind if reads or not words else stricter_kind(kind, _strictest(VAGUE, {words[0]}))


def _verbs(operation: str) -> tuple[set[str], str, list[str]]:
    """Where a verb can stand: the first word of the name and of its last part; the last word; and all of them."""
    parts = [words for part in _PARTS.split(operation) if (words := _words(part))]
    if not parts:
        return set(), "", []
    return {parts[0][0], parts[-1][0]}, parts[-1][-1], [word for part in parts for word in part]


def _joined(words: list[str]) -> set[str]:
    """`getAndDelete`"""
    return {word for before, word in pairwise(words) if before in _AND}


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _last_literal(template: str) -> list[str]:
    """The words of the last segment that is not only a parameter; of its verb, where it has one (`:cancel`)."""
    for segment in reversed(template.partition("?")[0].split("/")):
        words = _words(_HOLE.sub(" ", segment).rpartition(":")[2])
        if words:
            return words
    return []


def _strictest(table: dict[Kind, frozenset[str]], words: set[str]) -> Kind:
    return next((kind for kind, known in table.items() if not known.isdisjoint(words)), Kind.READ)
