"""The beginning of a push, read from git's pkt-lines (gitprotocol-common, gitprotocol-pack: "Reference Update Request").

    pkt-line        =  4 hexadecimal digits, the length with themselves; then the payload. `0000` is a flush.
    update-requests =  *shallow ( command-list | push-cert ) flush [ push-options flush ] [ pack ]
    command         =  old-id SP new-id SP name, the first followed by NUL and capabilities

Strict: what git's own receive-pack would refuse, or could read otherwise, is an error, never a guess.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

COMMANDS: Final = 1000
"""More refs in one push than this are not read."""
MAX_LINE: Final = 65520
"""Bytes of one pkt-line, its length included."""

_HEX: Final = re.compile(rb"[0-9a-fA-F]{4}")
_COMMAND: Final = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}) ([0-9a-f]{40}|[0-9a-f]{64}) ([^\x00-\x20\x7f~^:?*\[\\]{1,1024})")
_SHALLOW: Final = re.compile(rb"shallow (?:[0-9a-f]{40}|[0-9a-f]{64})\n?")


class NotPktLines(ValueError):
    """not a push as git sends it"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One ref that a push moves. `old`, `new`: hexadecimal ids; all zero where the ref does not exist before, or after."""

    ref: str
    old: str
    new: str

    @property
    def creates(self) -> bool:
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        return not self.new.strip("0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """`signed`: a push certificate, whose commands are not read."""

    commands: tuple[Command, ...] = ()
    capabilities: frozenset[str] = frozenset()
    signed: bool = False


def lines(data: bytes) -> Iterator[bytes | None]:
    """Payloads from the beginning; None is a flush. Raises NotPktLines at what is none, or is cut off."""
    at = 0
    while at < len(data):
        digits = data[at : at + 4]
        if not _HEX.fullmatch(digits):
            raise NotPktLines("a pkt-line without its length")
        length = int(digits, 16)
        if length == 0:
            yield None
            at += 4
            continue
        if not 4 < length <= MAX_LINE:
            raise NotPktLines("a pkt-line of an impossible length")
        if at + length > len(data):
            raise NotPktLines("a pkt-line that is cut off")
        yield data[at + 4 : at + length]
        at += length


def read_push(data: bytes) -> Push:
    """`data`: the body, or enough of its beginning to hold the commands. Raises NotPktLines."""
    commands: dict[str, Command] = {}
    capabilities: frozenset[str] = frozenset()
    first = True
    for line in lines(data):
        if line is None:
            # A lone flush is how git asks whether it may push at all, before it sends a large pack.
            return Push(commands=tuple(commands.values()), capabilities=capabilities)
        if line.startswith(b"shallow ") and first:
            if not _SHALLOW.fullmatch(line):
                raise NotPktLines("a shallow line that names no commit")
            continue
        if line.startswith(b"push-cert\x00") and first:
            return Push(signed=True)
        head, zero, rest = line.partition(b"\x00")
        if zero and not first:
            raise NotPktLines("capabilities behind a later command")
        if first:
            capabilities = frozenset(rest.decode("utf-8", "replace").split())
        first = False
        command = _command(head.removesuffix(b"\n"))
        if command.ref in commands:
            raise NotPktLines("a ref that comes twice")
        if len(commands) >= COMMANDS:
            raise NotPktLines(f"more than {COMMANDS} refs")
        commands[command.ref] = command
    raise NotPktLines("no end of the commands")


def _command(text: bytes) -> Command:
    found = _COMMAND.fullmatch(text)
    if found is None or len(found[1]) != len(found[2]):
        raise NotPktLines("not a command")
    try:
        ref = found[3].decode()
    except UnicodeDecodeError:
        raise NotPktLines("a ref that is not UTF-8") from None
    if not ref.isprintable():
        raise NotPktLines("a ref with a character that cannot be seen")
    return Command(ref=ref, old=found[1].decode(), new=found[2].decode())
