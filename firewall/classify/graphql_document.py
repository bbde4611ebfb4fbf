"""A GraphQL document → its operations and their root fields (GraphQL, September 2025, sections 2 and 5)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from firewall.action import Kind, stricter_kind
from firewall.classify.catalog.verbs import kind_of
from firewall.classify.content_type import Unreadable

LENGTH: Final = 64 << 10
"""Characters of a document."""
TOKENS: Final = 5000
COMMENTS: Final = 1000
DEPTH: Final = 64
FIELDS: Final = 200
"""Root fields of one operation, fragments expanded."""
CACHED: Final = 4 << 10

_NESTING = re.compile(r"[{}()\[\]]")
_METHODS: Final = {"query": "GET", "subscription": "GET", "mutation": "POST"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`type`: query, mutation or subscription. `name`: empty where it has none. `fields`: names of the root fields, without their
    aliases, sorted, each once; `__typename` only where it stands alone."""

    type: str
    name: str
    fields: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """By the type, and by the verbs of the fields' names (`deleteIssue`)."""
        kind = Kind.WRITE if self.type == "mutation" else Kind.READ
        for field in self.fields:
            kind = stricter_kind(kind, kind_of(_METHODS[self.type], "", field))
        return kind


def read_document(text: str) -> tuple[Operation, ...]:
    """Every operation of the document, in its order. Raises Unreadable."""
    return _read_again(text) if len(text) <= CACHED else _read(text)


@lru_cache(maxsize=256)
def _read_again(text: str) -> tuple[Operation, ...]:
    """Clients send the same few documents again and again, with other variables."""
    return _read(text)


def _read(text: str) -> tuple[Operation, ...]:
    if len(text) > LENGTH:
        raise Unreadable("a GraphQL document that is too long")
    depth = 0
    for bracket in _NESTING.findall(text):  # brackets in strings count too: nobody nests by them
        depth += 1 if bracket in "{([" else -1
        if depth > DEPTH:
            raise Unreadable("a GraphQL document that is too deep")
    try:
        document = parse(text, no_location=True, max_tokens=TOKENS, max_comments=COMMENTS, allow_empty_selection_sets=False)
    except (GraphQLError, RecursionError) as error:
        reason = getattr(error, "message", "too deep")
        raise Unreadable(f"not GraphQL: {reason}"[:200]) from None
    return _operations(document)


def _operations(document: DocumentNode) -> tuple[Operation, ...]:
    fragments, operations = dict[str, FragmentDefinitionNode](), list[OperationDefinitionNode]()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations.append(definition)
        elif isinstance(definition, FragmentDefinitionNode):
            if definition.name.value in fragments:
                raise Unreadable("a GraphQL fragment twice")
            fragments[definition.name.value] = definition
        else:
            raise Unreadable("a GraphQL document that defines types")
    names = [operation.name.value for operation in operations if operation.name is not None]
    if not operations or len(set(names)) < len(names):
        raise Unreadable("a GraphQL document without one operation of each name")
    return tuple(_operation(operation, fragments) for operation in operations)


def _operation(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Operation:
    fields = set[str]()
    for number, field in enumerate(_roots(operation.selection_set, fragments), 1):
        if number > FIELDS:
            raise Unreadable(f"a GraphQL operation of more than {FIELDS} fields")
        fields.add(field)
    name = operation.name.value if operation.name is not None else ""
    return Operation(type=operation.operation.value, name=name, fields=tuple(sorted(fields - {"__typename"} or fields)))


def _roots(root: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[str]:
    """Whatever `@skip` and `@include` say: variables decide them, and a default may. Each fragment once, so that cycles end."""
    seen, pending = set[str](), [root]
    while pending:
        for selection in pending.pop().selections:
            if isinstance(selection, FieldNode):
                yield selection.name.value
            elif isinstance(selection, InlineFragmentNode):
                pending.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in seen:
                seen.add(selection.name.value)
                if selection.name.value not in fragments:
                    raise Unreadable("a GraphQL fragment that is missing")
                pending.append(fragments[selection.name.value].selection_set)
