"""YAML text as plain values, with the line of each: a strict part of YAML 1.2 (mappings, lists, strings, integers, booleans,
null).

Refused, each by line: anchors and aliases (so that a small text cannot grow), tags, several documents, duplicate keys, keys
that are no strings, and whatever is too large or too deep. Words such as `no` and `on` are strings, as YAML 1.2 has it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

MAX_BYTES = 1 << 20
MAX_DEPTH = 12

Path = tuple[str | int, ...]
Value = dict[str, Any] | list[Any] | str | int | bool | None

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Value] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


class BadYaml(Exception):
    """The text is not the YAML that is read here. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """`lines`: the line, from 1, of each value's key or item, by its path; the root is at `()`."""

    value: Value
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of `path`, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def parse(text: str) -> Parsed:
    """Raises BadYaml."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise BadYaml(1, f"the document is larger than {MAX_BYTES} bytes")
    if (nul := text.find("\0")) >= 0:
        raise BadYaml(text.count("\n", 0, nul) + 1, "a NUL character")
    lines: dict[Path, int] = {}
    try:
        events = YAML(typ="safe", pure=True).parse(text)
        value = _document(events, lines)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYaml(mark.line + 1 if mark is not None else 1, f"not YAML: {error.problem or error.context}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise BadYaml(_line_of(error, text), f"not YAML: {str(error).splitlines()[0]}") from None
    return Parsed(value=value, lines=lines)


def _line_of(error: Exception, text: str) -> int:
    position = getattr(error, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


def _document(events: Iterator[Event], lines: dict[Path, int]) -> Value:
    value: Value = None
    documents = 0
    for event in events:
        match event:
            case StreamStartEvent() | StreamEndEvent() | DocumentEndEvent():
                continue
            case DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise BadYaml(_line(event), "one document only")
            case _:
                lines[()] = _line(event)
                value = _value(event, events, (), lines)
    return value


def _value(event: Event, events: Iterator[Event], path: Path, lines: dict[Path, int]) -> Value:
    if isinstance(event, AliasEvent):
        raise BadYaml(_line(event), "aliases are not read here: write the value out")
    if getattr(event, "anchor", None) is not None:
        raise BadYaml(_line(event), "anchors are not read here: write the value out")
    if len(path) > MAX_DEPTH:
        raise BadYaml(_line(event), "nested too deeply")
    match event:
        case ScalarEvent():
            return _scalar(event)
        case SequenceStartEvent():
            _untagged(event)
            return _list(events, path, lines)
        case MappingStartEvent():
            _untagged(event)
            return _mapping(events, path, lines)
        case _:
            raise BadYaml(_line(event), "not YAML that is read here")


def _list(events: Iterator[Event], path: Path, lines: dict[Path, int]) -> list[Any]:
    items: list[Any] = []
    for event in events:
        if isinstance(event, SequenceEndEvent):
            break
        here = (*path, len(items))
        lines[here] = _line(event)
        items.append(_value(event, events, here, lines))
    return items


def _mapping(events: Iterator[Event], path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for event in events:
        if isinstance(event, MappingEndEvent):
            break
        key = _value(event, events, path, lines) if isinstance(event, ScalarEvent | AliasEvent) else None
        if not isinstance(key, str):
            raise BadYaml(_line(event), "a key must be a word")
        if key in values:
            raise BadYaml(_line(event), f"`{key}` stands here twice")
        here = (*path, key)
        lines[here] = _line(event)
        values[key] = _value(next(events), events, here, lines)
    return values


def _scalar(event: ScalarEvent) -> Value:
    _untagged(event)
    text = str(event.value)
    if event.style not in (None, ""):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        raise BadYaml(_line(event), f"{text} is no whole number; put quotes round a text")
    return text


def _untagged(event: Event) -> None:
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise BadYaml(_line(event), f"tags are not read here: {tag}")


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1
