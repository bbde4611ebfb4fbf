"""A transport request, judged and forwarded as one thing (SEMANTICS 2).

Forwarded and digested: the raw target, byte for byte. Judged: its decoding, segment by segment. What two readers could decode
differently is refused, so that the two can never part.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import idna

from firewall.errors import Malformed, TargetTooLong

TARGET_LIMIT = 8 << 10
"""Bytes."""
HOST_LIMIT = 253
"""Characters of a name in DNS (RFC 1035, section 2.3.4)."""

Header = tuple[bytes, bytes]
Headers = tuple[Header, ...]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Header fields that end at each hop (RFC 9110, section 7.6.1), lower case."""
_NOMINABLE = HOP_BY_HOP | {b"close", b"http2-settings"}
"""What a `Connection` field may name. Any other field it names would be taken out of the request by the next hop."""

_PLAIN = re.compile(r"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~$&'()*+,=:@-]+)*/?")
"""A path that reads the same however it is read: nothing escaped, no dot segment, nothing that any server drops."""
_UNPRINTABLE = re.compile(rb"[^\x21-\x7e]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_ESCAPED_STILL = re.compile(r"%(?:[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(slots=True, kw_only=True)  # not frozen for the same reason as Action
class Request:
    """`target`: raw, origin-form. `path`: its part before the first `?`, raw; `query`: what follows, without the `?`.
    `segments`: the path, decoded; `slashed`: one of them holds a slash that was encoded, which is refused unless a catalog says
    that it may stand there. `headers`: end to end, as they are sent. `body` None: not read."""

    method: str
    scheme: str
    host: str
    port: int
    target: bytes
    path: str
    query: str
    segments: tuple[str, ...]
    headers: Headers
    body: bytes | None = None
    truncated: bool = False
    slashed: bool = False


def parse(
    *,
    method: str,
    scheme: str,
    host: str,
    port: int,
    target: bytes,
    headers: Iterable[Header],
    body: bytes | None = None,
) -> Request:
    """Raises Malformed for what is ambiguous, TargetTooLong for more than 8 KiB of target."""
    if len(target) > TARGET_LIMIT:
        raise TargetTooLong(f"a request target may have {TARGET_LIMIT} bytes")
    if not target.startswith(b"/"):
        raise Malformed("the request target is not a path")
    if _UNPRINTABLE.search(target):
        raise Malformed("the request target holds a blank, a control character or a byte beyond ASCII")
    if b"#" in target:
        raise Malformed("the request target holds a fragment")
    text = target.decode("ascii")
    path, _, query = text.partition("?")
    parts = segments(path)
    return Request(
        method=method,
        scheme=scheme,
        host=host,
        port=port,
        target=target,
        path=path,
        query=query,
        segments=parts,
        slashed=any("/" in part for part in parts) if "%" in path else False,
        headers=tuple(headers),
        body=body,
    )


def refuse_slashes(request: Request) -> None:
    """For requests of which no catalog says that a slash may stand inside a segment. Raises Malformed."""
    if request.slashed:
        raise Malformed("the path holds an encoded slash")


def segments(path: str) -> tuple[str, ...]:
    """`/a/b%20c/` → `("a", "b c", "")`; an encoded slash stays inside its segment. Raises Malformed."""
    if _PLAIN.fullmatch(path):
        return tuple(path[1:].split("/"))
    if "\\" in path:
        raise Malformed("the path holds a backslash")
    if "//" in path:
        raise Malformed("the path holds an empty segment")
    parts = path[1:].split("/")
    # Some servers drop a `;` and what follows it.
    if any(part.startswith((";", "%3B", "%3b")) for part in parts[:-1]):
        raise Malformed("the path holds an empty segment")
    return tuple(_segment(part) for part in parts)


def _segment(raw: str) -> str:
    if any(match[1] is None for match in _ESCAPE.finditer(raw)):
        raise Malformed("the path holds a broken percent-escape")
    plain = raw.encode("ascii")
    if b"%" in plain:
        plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), plain)
    try:
        text = plain.decode()
    except UnicodeDecodeError:
        raise Malformed("the path does not decode to UTF-8") from None
    # Some servers fold compatibility forms: a full-width solidus becomes a slash, a two dot leader becomes two dots.
    folded = text if text.isascii() else unicodedata.normalize("NFKC", text)
    # Judged decoded, because the digits of the inner escape may be escaped themselves (%25%32%66).
    if _ESCAPED_STILL.search(folded):
        raise Malformed("the path is encoded twice")
    if "\\" in text or "\\" in folded:
        raise Malformed("the path holds an encoded backslash")
    if folded.count("/") != text.count("/"):
        raise Malformed("the path holds an encoded slash in another form")
    if any(character < " " or character == "\x7f" for character in text):
        raise Malformed("the path holds an encoded control character")
    # Some servers drop what follows a `;`, or blanks at the ends, before they look at dots.
    inner = folded.split("/")
    if any(part.split(";", 1)[0].strip() in {".", ".."} for part in inner):
        raise Malformed("the path holds a dot segment")
    if len(inner) > 1 and not all(inner):
        raise Malformed("the path holds an empty segment")
    return text


def end_to_end(fields: Iterable[Header]) -> Headers:
    """The fields that travel to the destination, and `Upgrade`, which goes with them where it was not stripped and makes
    another thing of the request. Raises Malformed when `Connection` names one of those."""
    kept = []
    for name, value in fields:
        lower = name.lower()
        if lower == b"connection":
            for option in value.lower().split(b","):
                if option.strip() and option.strip() not in _NOMINABLE:
                    raise Malformed("Connection names a field that belongs to the request")
        if lower not in HOP_BY_HOP or lower == b"upgrade":
            kept.append((name, value))
    return tuple(kept)


def canonical_host(text: str) -> str:
    """A name in lower-case A-labels (IDNA 2008, UTS 46), or a literal address in its one canonical form, without brackets.

    Raises Malformed for anything that a resolver might read as an address although it does not look like one.
    """
    if text.startswith("[") and text.endswith("]"):
        return str(_ipv6(text[1:-1]))
    if ":" in text:
        return str(_ipv6(text))
    if not text or len(text) > 4 * HOST_LIMIT:
        raise Malformed("the host is empty or too long")
    name = text.lower() if text.isascii() else _idna(text)
    labels = name.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        try:
            address = IPv4Address(name)
        except ValueError:
            raise Malformed(f"{text!r} is neither a name nor an address in its plain form") from None
        return str(address)
    if len(name) > HOST_LIMIT or not all(_LABEL.fullmatch(label) for label in labels):
        raise Malformed(f"{text[:HOST_LIMIT]!r} is not a host name")
    return name


def _ipv6(text: str) -> IPv6Address:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise Malformed("not an IPv6 address") from None
    if address.scope_id is not None:
        raise Malformed("an address with a zone leads nowhere from here")
    return address


def _idna(text: str) -> str:
    try:
        return idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except idna.IDNAError:
        raise Malformed(f"{text[:HOST_LIMIT]!r} is not a host name") from None


def parse_authority(text: str, default_port: int | None) -> tuple[str, int]:
    """`host:port`, `host` (then `default_port`), `[::1]:port`. Returns the canonical host and the port, 1 to 65535.
    Raises Malformed, also for a name that is not in ASCII: the field is forwarded as it stands, and a server may read it otherwise.
    """
    if not text.isascii():
        raise Malformed("an authority is ASCII: write the name in A-labels")
    if "@" in text or "/" in text:
        raise Malformed("an authority is host:port")
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        host += bracket
    else:
        host, colon, rest = text.partition(":")
        rest = colon + rest
    if not rest:
        if default_port is None:
            raise Malformed("the port is missing")
        return canonical_host(host), default_port
    digits = rest[1:]
    if rest[0] != ":" or not _PORT.fullmatch(digits) or not 1 <= int(digits) <= 65535:
        raise Malformed("the port is not a number from 1 to 65535")
    return canonical_host(host), int(digits)
