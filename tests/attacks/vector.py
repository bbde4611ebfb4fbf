"""Attacks as data: what each file of `tests/vectors/attacks` says, and how the older lists of vectors are folded in.

A family's file is an object: `family`, `title`, `side` (who attacks: `request`, the agent; `answer`, the destination; `names`,
DNS), `unguarded` (against which build one of its vectors is shown to succeed, and by what), `vectors`, and `from` for lists that
stand in another file. Bytes are Latin-1 text; `<identity>` stands for the agent's Proxy-Authorization line, `<port>` for the
destination's port, `<proxy>` for the gateway's.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors"

REQUEST_LINE = "the request line is not"
"""The reason for what cannot be taken apart."""

Piece = str | Mapping[str, Any]
"""Text, `{"text": …, "times": N}`, or `{"base64": …}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An answer. `code` and `detail`: of our own refusals, a part of the reason; without `code` it is the destination's."""

    status: int
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """By an agent. `where`: `plain` and `connect` are the first bytes of a connection; `tunnel` is inside TLS to `to`:443 (its
    server name `server_name`, `to` where that is empty, none where it is null), `tunnel-port-80` in clear inside a CONNECT to
    `to`:80, `raw` the bytes that come where TLS is due. `port`: another one.

    `segments`: each piece arrives by itself. `answers`: in order; `closed`: none comes, and the connection ends. `ends`: the
    connection ends after the answers; else a request that follows is served. `waits`: no answer is due yet, and nothing has
    left. `holds`: how many requests are held, and then approved. `reached`: what the destination gets nevertheless. `absent`:
    text that it must not get. `nameless`: nobody is known, so nothing is recorded. `after`: how the request that follows is
    answered.
    """

    attack: str
    source: str
    where: str
    send: tuple[Piece, ...]
    answers: tuple[Expected, ...] = ()
    closed: bool = False
    ends: bool = True
    waits: bool = False
    holds: int = 0
    segments: bool = False
    to: str = "up.test"
    port: int = 0
    server_name: str | None = ""
    allow_private: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    nameless: bool = False
    after: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """By a destination. `answer`: what it sends to the first request (a `method`), after which it ends the connection if
    `hangs_up`.

    The agent gets `status`; with `code` and `detail` it is our refusal, else `body` is what the agent reads; `cut`: the
    connection ends before the body is complete. `absent`: text that the agent must not get. `reused`: the connection may serve
    further requests.
    """

    attack: str
    source: str
    answer: tuple[Piece, ...]
    method: str = "GET"
    headers: str = ""
    hangs_up: bool = False
    status: int = 502
    code: str = ""
    detail: str = ""
    body: str | None = None
    cut: bool = False
    absent: tuple[str, ...] = ()
    reused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """By whoever owns a name. `says`: what DNS answers, the first time, the second time …, each a list of addresses; `alias`: the
    name that the first one stands for. `answers`: of as many requests, between which the name's time to live passes. `dialled`:
    the addresses that are dialled in all. `asked`: how often DNS is asked in all."""

    attack: str
    source: str
    says: tuple[tuple[str, ...], ...]
    answers: tuple[Expected, ...]
    host: str = "evil.test"
    alias: str = ""
    ttl: int = 0
    allow_private: tuple[str, ...] = ("127.0.0.2/32",)
    dialled: tuple[str, ...] = ()
    asked: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One vector of the family against a build without the guard. `through`: text that the destination gets; `unjudged`: a request
    that it reads although the proxy never saw one; `dialled`: an address; `got`: text that the agent gets."""

    build: str
    attack: str
    through: str = ""
    unjudged: str = ""
    dialled: str = ""
    got: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    name: str
    title: str
    side: str
    shown: Shown
    vectors: tuple[Attack | Answering | Naming, ...] = field(repr=False)

    def vector(self, attack: str) -> Attack | Answering | Naming:
        (found,) = [vector for vector in self.vectors if vector.attack == attack]
        return found


def families() -> list[Family]:
    return [_family(json.loads(path.read_text("utf-8"))) for path in sorted((FOLDER / "attacks").glob("*.json"))]


def _family(found: dict[str, Any]) -> Family:
    reading = _SIDES[found["side"]]
    vectors = [reading(one) for one in found.get("vectors", ())]
    for reference in found.get("from", ()):
        vectors += _folded(reference)
    return Family(
        name=found["family"], title=found["title"], side=found["side"], shown=Shown(**found["unguarded"]), vectors=tuple(vectors)
    )


def _attack(one: dict[str, Any]) -> Attack:
    one = _tuples(one, "send", "allow_private", "reached", "absent")
    answers = one.pop("answers", None)
    if answers is None and "status" in one:
        answers = [{key: one.pop(key) for key in ("status", "code", "detail") if key in one}]
    return Attack(**one, answers=tuple(Expected(**answer) for answer in answers or ()))


def _answering(one: dict[str, Any]) -> Answering:
    return Answering(**_tuples(one, "answer", "absent"))


def _naming(one: dict[str, Any]) -> Naming:
    one = _tuples(one, "says", "allow_private", "dialled")
    one["says"] = tuple(tuple(addresses) for addresses in one["says"])
    return Naming(**(one | {"answers": tuple(Expected(**answer) for answer in one["answers"])}))


def _tuples(one: dict[str, Any], *names: str) -> dict[str, Any]:
    return one | {name: tuple(one[name]) if isinstance(one[name], list) else (one[name],) for name in names if name in one}


_SIDES: dict[str, Callable[[dict[str, Any]], Attack | Answering | Naming]] = {
    "request": _attack,
    "answer": _answering,
    "names": _naming,
}


# --- lists that stand elsewhere -----------------------------------------------------------------------------------------------


def _folded(reference: dict[str, Any]) -> Iterator[Attack]:
    """`file` and `list` say which; `as`: what becomes of each. `only`, `but`: some of it, by name. `details`: the reason where the
    wire meets another one first."""
    made = _FOLDS[reference["as"]]
    entries = json.loads((FOLDER / reference["file"]).read_text("utf-8"))[reference["list"]]
    details = reference.get("details", {})
    for entry in entries:
        vector = made(entry)
        if vector is None or vector.attack in reference.get("but", ()):
            continue
        if "only" in reference and vector.attack not in reference["only"]:
            continue
        if vector.attack in details:
            vector = replace(vector, answers=(replace(vector.answers[0], detail=details[vector.attack]),))
        yield vector


def _head(entry: dict[str, Any]) -> Attack:
    """Of `heads.json`: inside a tunnel, or as the first of a connection."""
    inside = entry["inside"]
    return Attack(
        attack=entry["attack"],
        source=entry["source"],
        where="tunnel" if inside else "plain",
        to="example.com",
        send=(entry["head"],),
        answers=(_malformed(entry["says"]),),
        nameless=not inside,
    )


def _path(entry: dict[str, Any]) -> Attack:
    """Of `paths.json`: the target of a GET in a tunnel. What breaks the request line ends the connection too."""
    target = str(entry["target"])
    readable, says = _readable(target.encode("latin-1")), "inside a tunnel"
    if target.startswith("/"):
        says = entry["says"]
    return Attack(
        attack=entry["attack"],
        source=entry["source"],
        where="tunnel",
        send=(f"GET {target} HTTP/1.1\r\nHost: up.test\r\n\r\n",),
        answers=(_malformed(says if readable else REQUEST_LINE),),
        ends=not readable or not target.startswith("/"),
    )


def _authority(entry: dict[str, Any]) -> Attack:
    """Of `authorities.json`: where a CONNECT leads."""
    return _connect(entry, entry["authority"])


def _host(entry: dict[str, Any]) -> Attack:
    """Of `hosts.json`: where a CONNECT leads, with a port."""
    return _connect(entry, f"{entry['host']}:443")


def _connect(entry: dict[str, Any], authority: str) -> Attack:
    raw = authority.encode("utf-8", "surrogatepass")
    readable = _readable(raw)
    return Attack(
        attack=entry["attack"],
        source=entry["source"],
        where="connect",
        send=(f"CONNECT {raw.decode('latin-1')} HTTP/1.1\r\nHost: up.test:443\r\n<identity>\r\n",),
        answers=(_malformed(entry["says"] if readable else REQUEST_LINE),),
        nameless=not readable or b"/" in raw,  # a head that is none is nobody's
    )


def _readable(raw: bytes) -> bool:
    """Whether a request line with it can be taken apart at all."""
    return raw != b"" and all(0x20 < byte < 0x7F for byte in raw)


def _address(entry: list[str]) -> Attack | None:
    """Of `addresses.json`: a literal address as the destination of a plain request. What is no address is not for here."""
    address, kind = entry
    if kind in ("not an address", "zone"):
        return None
    host = f"[{address}]" if ":" in address else address
    return Attack(
        attack=f"{address}, {kind}",
        source="IANA IPv4 and IPv6 special-purpose address registries; firewall/address.py",
        where="plain",
        send=(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n<identity>\r\n",),
        answers=(Expected(status=403, code="address", detail=kind),),
        ends=False,
    )


def _malformed(detail: str) -> Expected:
    return Expected(status=400, code="malformed", detail=detail)


_FOLDS: dict[str, Callable[[Any], Attack | None]] = {
    "head": _head,
    "path": _path,
    "authority": _authority,
    "host": _host,
    "address": _address,
}


# --- bytes ------------------------------------------------------------------------------------------------------------------------


def raw(piece: Piece, marks: Mapping[str, str]) -> bytes:
    """`marks`: what stands for each placeholder."""
    if isinstance(piece, str):
        text = piece
    elif "base64" in piece:
        return base64.b64decode(piece["base64"])
    else:
        text = piece["text"] * piece.get("times", 1)
    for mark, stands_for in marks.items():
        text = text.replace(mark, stands_for)
    return text.encode("latin-1")
