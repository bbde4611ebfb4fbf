"""A document that somebody hands us, as plain values: JSON, or YAML by its events alone, so that no tag makes an object.

Kept apart from `firewall.yaml_text`, which reads what our own users write: vendors' documents are large (hence libyaml), hold
aliases, dates and keys that are numbers. Refused, by line: what is too large, too deep, written twice, tagged, or no text.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 64 << 20
MAX_NODES = 4_000_000
"""Values in a document: commas and opening brackets in JSON; in YAML also those that merge keys (`<<`) copy."""
MAX_DEPTH = 200

Tree = dict[str, Any] | list[Any] | str | int | float | bool | None

_CORE = re.compile(r"tag:yaml\.org,2002:(str|int|float|bool|null|map|seq|timestamp|merge)|!")
_WORDS: dict[str, Tree] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]', re.DOTALL)
_LOADER = getattr(yaml, "CLoader", yaml.Loader)


class BadDocument(Exception):
    """The document cannot be read as a description of an API. `where`: a line (`line 3`) or a path (`paths./pets.get`)."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


def scalar(value: Tree) -> str:
    """The text of a plain value; empty for what holds others, which aliases could make endless to write out."""
    if isinstance(value, dict | list) or value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def read_tree(document: bytes | str) -> Tree:
    """Raises BadDocument, and nothing else."""
    text = _decoded(document)
    if text.lstrip(" \t\r\n")[:1] in {"{", "["}:
        return _json(text)
    return _Yaml(text).read()


def _decoded(document: bytes | str) -> str:
    if len(document) > MAX_BYTES:
        raise BadDocument("line 1", f"the document is larger than {MAX_BYTES >> 20} MiB")
    if isinstance(document, str):
        return document.removeprefix("\ufeff")
    try:
        return document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadDocument(f"line {document.count(b'\n', 0, error.start) + 1}", "not text in UTF-8") from None


# --- JSON -------------------------------------------------------------------------------------------------------------------


def _json(text: str) -> Tree:
    if sum(text.count(mark) for mark in ",[{") > MAX_NODES:
        raise BadDocument("line 1", f"more than {MAX_NODES} values")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)  # type: ignore[no-any-return]
    except _Twice as error:
        raise BadDocument(f"line {_line_of_second(text)}", f"{error.key[:100]!r} stands twice in one object") from None
    except json.JSONDecodeError as error:
        raise BadDocument(f"line {error.lineno}", f"not JSON: {error.msg}") from None
    except RecursionError:
        raise BadDocument("line 1", "nested too deeply") from None
    except ValueError as error:  # a number of thousands of digits, NaN
        raise BadDocument("line 1", f"not JSON: {str(error)[:100]}") from None


class _Twice(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                raise _Twice(key)
            seen.add(key)
    return found


def _no_number(text: str) -> Tree:
    raise ValueError(f"{text} is no number of JSON")


def _line_of_second(text: str) -> int:
    """Where the first key stands that its object has already. Only for a text that was found to hold one."""
    stack: list[set[str]] = []
    last: re.Match[str] | None = None
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "{[":
            stack.append(set())
        elif mark in "}]":
            stack.pop()
        elif mark == ":" and last is not None:
            key = json.loads(last[0], strict=False)
            if key in stack[-1]:
                return text.count("\n", 0, last.start()) + 1
            stack[-1].add(key)
        last = token if mark[0] == '"' else None
    return 1


# --- YAML -------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Open:
    """A list or a mapping whose end is still to come. `key`: one whose value is to come; `merges`: it is `<<`."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    key: str | None = None
    merges: bool = False
    merged: list[dict[str, Any]] = field(default_factory=list)

    def close(self) -> Tree:
        """What is written in a mapping beats what it merges, and of that the first."""
        if isinstance(self.value, dict):
            for each in self.merged:
                for key, value in each.items():
                    self.value.setdefault(key, value)
        return self.value


class _Yaml:
    """Events → values without recursion. An alias is the very value that it names, so that nothing grows; reading stops where
    merge keys would make it grow."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.nodes = 0
        self.anchors: dict[str, Tree] = {}
        self.line = 1

    def read(self) -> Tree:
        try:
            return self._value(yaml.parse(self.text, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else 1
            raise BadDocument(f"line {line}", f"not YAML: {error.problem or error.context}") from None
        except (yaml.YAMLError, UnicodeError, RecursionError, ValueError) as error:
            raise BadDocument(f"line {self._position(error)}", f"not YAML: {str(error).splitlines()[0]}") from None

    def _position(self, error: Exception) -> int:
        position = getattr(error, "position", None)
        return self.text.count("\n", 0, position) + 1 if isinstance(position, int) else self.line

    def _bad(self, reason: str) -> BadDocument:
        return BadDocument(f"line {self.line}", reason)

    def _value(self, events: Iterator[Any]) -> Tree:
        root: list[Any] = []
        stack: list[_Open] = [_Open(root, None)]
        documents = 0
        for event in events:
            self.line = event.start_mark.line + 1
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise self._bad("one document only")
                case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                    self._tagged(event)
                    if len(stack) > MAX_DEPTH:
                        raise self._bad("nested too deeply")
                    stack.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    done = stack.pop()
                    self._put(stack[-1], done.close(), done.anchor, plain=False)
                case yaml.AliasEvent():
                    if event.anchor not in self.anchors:
                        raise self._bad(f"*{event.anchor[:100]} names nothing that is complete before it")
                    self._put(stack[-1], self.anchors[event.anchor], None, plain=False)
                case yaml.ScalarEvent():
                    self._tagged(event)
                    self._put(stack[-1], event.value, event.anchor, plain=event.style in (None, ""))
                case _:
                    continue
        return root[0] if root else None

    def _put(self, into: _Open, value: Tree, anchor: str | None, *, plain: bool) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._bad(f"more than {MAX_NODES} values")
        if isinstance(into.value, dict) and into.key is None:
            if not isinstance(value, str):
                raise self._bad("a key must be a word")
            into.key, into.merges = value, plain and value == "<<"
            if value in into.value and not into.merges:
                raise self._bad(f"{value[:100]!r} stands here twice")
            if anchor is not None:
                self.anchors[anchor] = value
            return
        if plain and isinstance(value, str):
            value = _WORDS.get(value, value)
        if anchor is not None:
            self.anchors[anchor] = value
        if isinstance(into.value, list):
            into.value.append(value)
        elif into.merges:
            self._merge(into, value)
            into.key = None
        else:
            into.value[str(into.key)] = value
            into.key = None

    def _merge(self, into: _Open, value: Tree) -> None:
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, dict):
                raise self._bad("<< takes mappings")
            self.nodes += len(each)
            if self.nodes > MAX_NODES:
                raise self._bad(f"more than {MAX_NODES} values")
            into.merged.append(each)

    def _tagged(self, event: Any) -> None:
        if event.tag is not None and not _CORE.fullmatch(event.tag):
            raise self._bad(f"tags are not read here: {event.tag[:100]}")
