"""Text of strangers, as people may safely read it: nothing hidden, nothing that moves what stands beside it, nothing endless.

What cannot be seen is named, `⟦U+202E⟧`: control characters (terminals obey them), bidirectional overrides (they turn text round),
zero-width and other invisible characters (they make two names look like one), odd blanks, and letters under heaps of marks.
"""

import unicodedata
from typing import Final

MARKS: Final = 4
"""Combining marks on one letter; no script needs more."""
CUT: Final = "…"

_UNSEEN: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
"""Letters, symbols and marks that Unicode counts as printable and that show nothing."""
_OURS: Final = frozenset("⟦⟧")
"""What we write ourselves must not be written for us."""


def visible(text: str, limit: int, *, lines: bool = False) -> str:
    """At most `limit` characters. `lines`: line ends and tabs stand as they are."""
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    if lines:
        text = text[: 2 * limit + 2].replace("\r\n", "\n")
    shown: list[str] = []
    size = marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
        piece = character if _seen(character, lines) and marks <= MARKS else f"⟦U+{ord(character):04X}⟧"
        if size + len(piece) > limit:
            while shown and size + len(CUT) > limit:
                size -= len(shown.pop())
            return "".join(shown) + (CUT if limit else "")
        shown.append(piece)
        size += len(piece)
    return "".join(shown)


def _seen(character: str, lines: bool) -> bool:
    if lines and character in "\n\t":
        return True
    return character.isprintable() and character not in _UNSEEN and character not in _OURS


def count(size: int) -> str:
    """Bytes for people: `23 kB`."""
    if size < 1000:
        return "1 byte" if size == 1 else f"{size} bytes"
    for power, unit in enumerate(("kB", "MB", "GB"), 1):
        amount = size / 1000**power
        if amount < 1000 or unit == "GB":
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
    raise AssertionError("the last unit is for everything")
