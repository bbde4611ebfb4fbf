"""What the command line prints: tables for people, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]


def emit(data: object) -> None:
    """One JSON document on one line."""
    print(json.dumps(data, separators=(", ", ": "), default=str))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on a terminal; tab-separated lines elsewhere."""
    lines = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in lines:
            print("\t".join(line))
        return
    shown = Table(*columns, box=None, header_style="bold")
    for line in lines:
        shown.add_row(*line)
    Console().print(shown)


def say(lines: Iterable[str]) -> None:
    """Lines for people, at once: whoever follows sees each as it comes."""
    for line in lines:
        print(line, flush=True)


def facts(of: Mapping[str, Any]) -> None:
    """One thing, a line a field."""
    width = max(map(len, of), default=0)
    for name, value in of.items():
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else "" if value is None else str(value)
        print(f"{name:<{width}}  {text}")


def fail(message: str, status: int = 1) -> NoReturn:
    """Says why on stderr and exits: 1 refused or failed, 2 usage."""
    print(f"aaf: {message}", file=sys.stderr)
    raise typer.Exit(status)
