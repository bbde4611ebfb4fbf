"""Attacks over HTTP/2 as data: what each file of `tests/vectors/attacks/http2` says. A family's file is an object: `family`,
`title`, `side` (`request`: by the agent; `answer`: by a destination that speaks HTTP/2), `unguarded`, `vectors`. Frames are
described in `frames`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attacks.frames import FrameData

FOLDER = Path(__file__).parents[1] / "vectors" / "attacks" / "http2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of one stream. `status`, with `code` and `detail` if the answer is ours; or `reset`: the error code that ends it, after the
    answer if there is one; `perhaps`: whether the answer had begun, or we could still say 502, hangs on what came at once.
    `ours`: it is our answer, without a body. `body`: what came of it. `trailers`: their names."""

    status: int = 0
    code: str = ""
    detail: str = ""
    reset: int | None = None
    perhaps: bool = False
    ours: bool = False
    body: str | None = None
    trailers: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack2:
    """By an agent, inside TLS to `up.test`, which agreed on `h2`; the destination speaks HTTP/1.1. `preface`: the connection's
    beginning is sent first. `reads`: the agent takes what it gets; else only once we read no more from it.

    `streams`: what becomes of each. `goodbye`: the error code with which the connection ends, and `says` why in the log; `ends`:
    it does so without one. Else a request that follows on the same connection is answered. `reached`: what the destination gets;
    `absent`: text that it must not get. `keeps`: how many bytes the engine may have in memory at most for this connection.
    """

    attack: str
    source: str
    send: tuple[FrameData, ...]
    preface: bool = True
    reads: bool = True
    streams: Mapping[int, Outcome] = field(default_factory=dict)
    goodbye: int | None = None
    says: str = ""
    ends: bool = False
    reached: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    keeps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering2:
    """By a destination: `answer` is what it sends to the first request, whose stream is 1, after which it ends the connection if
    `hangs_up`; `first`: as soon as the connection is there. Whatever else it is asked, it answers like a good one.

    `outcome`: what the agent gets. `failed`: what is on record of it. `absent`: text that the agent must not get. `interims`: how
    many interim answers it gets. `keeps`: as in Attack2, for both connections. `reused`: the connection serves further requests.
    """

    attack: str
    source: str
    answer: tuple[FrameData, ...] = ()
    first: tuple[FrameData, ...] = ()
    method: str = "GET"
    hangs_up: bool = False
    outcome: Outcome
    failed: str = ""
    absent: tuple[str, ...] = ()
    interims: int = 0
    keeps: int | None = None
    reused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown2:
    """One vector against a build without the guard. `through`: text that the destination gets; `unjudged`: a request that it
    reads although the proxy saw none; `got`: text that the agent gets; `survives`: the connection serves on; `breaks`: it does
    not."""

    build: str
    attack: str
    through: str = ""
    unjudged: str = ""
    got: str = ""
    survives: bool = False
    breaks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Family2:
    name: str
    title: str
    side: str
    shown: Shown2
    vectors: tuple[Attack2 | Answering2, ...] = field(repr=False)

    def vector(self, attack: str) -> Attack2 | Answering2:
        (found,) = [vector for vector in self.vectors if vector.attack == attack]
        return found


def families2() -> list[Family2]:
    return [_family(json.loads(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.json"))]


def _family(found: dict[str, Any]) -> Family2:
    made = _attack if found["side"] == "request" else _answering
    return Family2(
        name=found["family"],
        title=found["title"],
        side=found["side"],
        shown=Shown2(**found["unguarded"]),
        vectors=tuple(made(one) for one in found["vectors"]),
    )


def _attack(one: dict[str, Any]) -> Attack2:
    streams = {int(number): _outcome(said) for number, said in one.get("streams", {}).items()}
    return Attack2(**(_tuples(one, "send", "reached", "absent") | {"streams": streams}))


def _answering(one: dict[str, Any]) -> Answering2:
    return Answering2(**(_tuples(one, "answer", "first", "absent") | {"outcome": _outcome(one["outcome"])}))


def _outcome(said: dict[str, Any]) -> Outcome:
    return Outcome(**_tuples(said, "trailers"))


def _tuples(one: dict[str, Any], *names: str) -> dict[str, Any]:
    return one | {name: tuple(one[name]) for name in names if name in one}
