"""The binary form of catalogs: what `build` writes and `index` reads (docs/catalog-format.md, "The binary").

One file of flat arrays, little-endian. A head of `HEAD.size` bytes: magic, SHA-256 of what it was made from, CRC-32 of all that
follows, and offset and length (bytes) of every array in `ARRAYS`, each at a multiple of 8.

A *node* stands for "so many segments were read". What leads from it is found by one hash table, `edges`, of open addressing: the
key is a CRC-32 that starts from the node's number, the value another node, or the operations of a method that end here, or a host's
places. No two edges have one key: `build` gives a node another number where they would. What a request asks for may still have the
key of another edge, by chance or because somebody worked for it. So edges of different sorts do not stand in for each other, and
what was found is proved: hosts and methods are compared, and every segment of the path with the operation's (`fit`).
"""

import struct
from enum import IntEnum

from firewall.action import Kind

MAGIC = b"aaf-catalog/1\n\0\0"
ARRAYS = ("edges", "nodes", "ways", "groups", "places", "text")
CHECKED = 52
"""From here on the check sum counts."""
HEAD = struct.Struct(f"<16s32sI{len(ARRAYS) * 2}I")
VERB_EDGE, GROUP, PLACE = 1 << 30, 2 << 30, 3 << 30
"""What an edge is, in its value: below `VERB_EDGE` a literal's node."""
VALUE = VERB_EDGE - 1
EASY, REST, REST_BEHIND_VERB = 1 << 31, 1 << 30, 3 << 29
"""In `nodes`, of each where its ways stand (0: nowhere), and above `ONE` the node of its only, or its first easy, way. `EASY`: a
segment without a colon leads there, if that is not 0; and then, with one of the `REST`s, on to the other ways: all but the first,
or but the first two."""
ONE = 32
AT = (1 << 29) - 1
KINDS = tuple(Kind)

TOP, SERVICES = 0, 1
"""Where in `places` the number of the node stands whose edges are hosts, and how many services there are. Offset and length of each
service's two names follow, then how many methods there are, of each the same, and the lists of hosts."""

PLAIN = 8
"""In an operation's flags, beside its kind (the lower three bits): every step is a literal, `{name}`, `{*name}` or `{name}:verb`.
The number of its service stands above `FILE`."""
FILE = 8
KIND = 7
ODD = "}"
"""Begins a token of a plan that is neither a literal nor a whole `{name}`. A literal holds no brace."""
DIGITS = 48
"""Numbers in texts are characters of this code (0) and above: none of them is a separator."""


class Way(IntEnum):
    """What leads on from a node that is no literal, in `ways`, in the order of preference: kind, node, offset and length of a
    token."""

    VERB = 0
    """`{name}:verb`: found among the edges by `verb_key`; the node is the one that it leads on from."""
    PART = 1
    """Pieces with holes between them; the token is `Step.text` without names."""
    ONE = 2
    ANY = 3
    MANY_PART = 4
    """`{+name}` with a literal behind it."""
    MANY = 5
    LAST = 6
    """`{+name}` behind which nothing follows: it takes all the rest."""


def literal_key(segment: str) -> bytes:
    return segment.encode()


def verb_key(verb: str) -> bytes:
    """`verb` without its colon."""
    return b"\0:" + verb.encode()


def method_key(method: str) -> bytes:
    return b"\0" + method.encode()


def host_key(host: str) -> bytes:
    return host.encode()


def suffix_key(suffix: str) -> bytes:
    """Globs whose literal labels at the end are these (`firewall.globs.host_suffix`)."""
    return b"\0" + suffix.encode()
