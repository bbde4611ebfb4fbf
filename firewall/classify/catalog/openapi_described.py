"""What a document describes, and how operations on one path are told apart."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from firewall.classify.catalog.openapi_servers import Place

_SHAPE = re.compile(r"\{([*+]?)[^{}=]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """`path`: the template without constraints. `name`: the vendor's, or empty. `extensions`: the operation's `x-…` keys.
    `required`: query fields that the document says are always there, as constraints."""

    method: str
    path: str
    name: str
    places: tuple[Place, ...]
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    extensions: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    required_headers: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        return self.path + ("?" + "&".join(self.query) if self.query else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What one document says. `notes`: what was left out, and why."""

    title: str
    licence: str
    operations: tuple[Described, ...]
    notes: tuple[str, ...] = ()


def told_apart(operations: list[Described]) -> list[Described]:
    """Operations on one method and template differ in the query or in header fields: by what one of them needs and not all do."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[int]] = {}
    for i, each in enumerate(operations):
        groups.setdefault((each.method, _SHAPE.sub(r"{\1", each.path), each.query), []).append(i)
    for members in groups.values():
        if len(members) > 1:
            group = [operations[i] for i in members]
            fields = [set(each.required) for each in group]
            headers = [set(each.required_headers) for each in group]
            usual, usual_headers = set.intersection(*fields), set.intersection(*headers)
            for i, each, own, own_headers in zip(members, group, fields, headers, strict=True):
                query = tuple(sorted({*each.query, *_one_a_name(own - usual)}))
                operations[i] = replace(each, query=query, headers=tuple(sorted(own_headers - usual_headers)))
    return operations


def _one_a_name(constraints: set[str]) -> set[str]:
    """`Action=x` says more than `Action`."""
    valued = {each.partition("=")[0] for each in constraints if "=" in each}
    return {each for each in constraints if "=" in each or each not in valued}
