"""docs/audit-format.md, as the tests read it, and tests/vectors/audit.json."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "audit-format.md").read_text()
VECTORS: dict[str, Any] = json.loads((ROOT / "tests" / "vectors" / "audit.json").read_text())


def block(kind: str) -> str:
    """A fenced block, without the newline before its end."""
    return TEXT.split(f"```{kind}\n", 1)[1].split("\n```", 1)[0]


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose head begins with this word."""
    rows = TEXT.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]


def words(cell: str) -> dict[str, bool]:
    """The words of a cell, and whether each is always there: `a` `b`? → {"a": True, "b": False}."""
    return {name: not mark for name, mark in re.findall(r"`([a-z0-9_]+)`(\??)", cell)}


def fields() -> dict[str, tuple[dict[str, bool], dict[str, bool]]]:
    """Event → its fields in clear, its parts."""
    return {row[0].strip("`"): (words(row[2]), words(row[3])) for row in table("event")}
