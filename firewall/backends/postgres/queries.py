"""SQL by name: `sql/*.sql` hold queries, each headed by `-- name: x` and a line that says what it answers."""

import re
from pathlib import Path

SQL = Path(__file__).parent / "sql"

_NAMED = re.compile(r"^-- name: (?P<name>\w+)\n-- (?P<about>.+)\n(?P<text>(?:(?!-- name: ).*\n?)*)", re.MULTILINE)


def load(file: str) -> dict[str, str]:
    """The queries of `sql/<file>` by name, without their headings."""
    found = {match["name"]: match["text"].strip().rstrip(";") for match in _NAMED.finditer((SQL / file).read_text())}
    if not found:
        raise ValueError(f"{file} names no query")
    return found
