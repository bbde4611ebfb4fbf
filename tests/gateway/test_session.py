"""What a client connection waits for, and when that is over."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from mitmproxy.connection import ConnectionState

from gateway.engine import Engine
from gateway.link import Link
from gateway.session import Session
from gateway.timeouts import LINGER_SECONDS, Patience, Phase
from tests.gateway.rig import Rig, plain, until

PATIENCE = Patience(head=10, idle=20, connect=5, response=40, request=100)


class Scene:
    """A session whose clock stands still until it is moved. It is its own stage, engine and link."""

    def __init__(self, patience: Patience = PATIENCE) -> None:
        self.time = 1000.0
        self.patience = patience
        self.expired_in: list[Phase] = []
        self.moved = 0.0
        self.ticks = 0
        self.is_gone = self.aborted = False
        self.forgotten: list[Session] = []
        link = SimpleNamespace(
            peer=("192.0.2.1", 1), here=("192.0.2.2", 2), owner=None, gone=lambda: self.is_gone, abort=self._abort
        )
        engine = SimpleNamespace(now=lambda: self.time, patience=patience, forget=self.forgotten.append)
        self.session = Session(cast(Engine, engine), cast(Link, link))
        self.session.hand_to(cast(Any, SimpleNamespace(tick=self._tick, expired=self.expired_in.append, last_byte=self._last)))

    def _abort(self) -> None:
        self.aborted = True

    def _tick(self, now: float) -> None:
        self.ticks += 1

    def _last(self) -> float:
        return self.moved

    def after(self, seconds: float) -> list[Phase]:
        self.time += seconds
        self.session.sweep(self.time)
        return self.expired_in


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [
        (Phase.HEAD, 10),
        (Phase.IDLE, 20),
        (Phase.BODY, 20),
        (Phase.DIAL, 5),
        (Phase.ANSWER, 40),
        (Phase.LINGER, LINGER_SECONDS),
    ],
)
def test_each_phase_has_its_time(phase: Phase, seconds: float) -> None:
    scene = Scene()
    scene.session.expect(phase)
    assert scene.after(seconds) == []
    assert scene.after(1) == [phase]


@pytest.mark.parametrize("phase", [Phase.JUDGED, Phase.OPEN])
def test_what_is_judged_or_open_has_no_end_of_its_own(phase: Phase) -> None:
    scene = Scene()
    scene.session.request_since = scene.time
    scene.session.expect(phase)
    assert scene.after(1_000_000) == []


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.BODY, Phase.ANSWER])
def test_a_byte_on_either_side_begins_some_phases_anew(phase: Phase) -> None:
    scene = Scene()
    scene.session.expect(phase)
    scene.moved = scene.time + 15
    assert scene.after(21) == []


@pytest.mark.parametrize("phase", [Phase.HEAD, Phase.DIAL, Phase.LINGER])
def test_a_byte_begins_no_other_phase_anew(phase: Phase) -> None:
    scene = Scene()
    scene.session.expect(phase)
    scene.moved = scene.time + 11
    assert scene.after(12) == [phase]


@pytest.mark.parametrize("phase", [Phase.BODY, Phase.ANSWER])
def test_a_request_has_a_time_in_all_however_much_it_moves(phase: Phase) -> None:
    scene = Scene()
    scene.session.request_since = scene.time
    scene.session.expect(phase)
    scene.moved = scene.time + 101
    assert scene.after(99) == []
    assert scene.after(2) == [phase]


def test_a_request_that_is_over_has_none() -> None:
    scene = Scene(replace(PATIENCE, idle=1000))
    scene.session.request_since = None
    scene.session.expect(Phase.IDLE)
    assert scene.after(500) == []


def test_a_client_that_left_while_nothing_is_read_from_it_is_noticed() -> None:
    scene = Scene()
    scene.session.expect(Phase.JUDGED)
    scene.after(1)
    assert (scene.aborted, scene.ticks) == (False, 1)
    scene.is_gone = True
    scene.after(1)
    assert (scene.aborted, scene.ticks, scene.expired_in) == (True, 1, [])


@pytest.mark.parametrize("phase", Phase)
def test_nothing_is_on_before_a_request_and_between_two(phase: Phase) -> None:
    scene = Scene()
    scene.session.expect(phase)
    assert scene.session.nothing_on is (phase in {Phase.HEAD, Phase.IDLE})
    assert scene.session.phase is phase


def test_what_is_over_is_forgotten_and_swept_no_more() -> None:
    scene = Scene()
    scene.session.over()
    assert scene.forgotten == [scene.session]
    assert scene.session.client.state is ConnectionState.CLOSED
    assert scene.session.client.timestamp_end is not None
    assert scene.after(1_000_000) == []
    assert scene.ticks == 0


async def test_a_session_that_cannot_be_swept_ends_and_the_others_are_swept(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = await rig.connect()
    assert (await broken.ask(plain("/a"))).status == 200
    (session,) = rig.gateway.sessions()
    other = await rig.connect()
    assert (await other.ask(plain("/a"))).status == 200
    swept: list[float] = []

    def fail(_now: float) -> None:
        raise RuntimeError("made to fail")

    stage, kept = session.stage, rig.gateway.sessions()[1].stage
    assert stage is not None
    assert kept is not None
    monkeypatch.setattr(stage, "tick", fail)
    monkeypatch.setattr(kept, "tick", swept.append)
    assert await broken.rest() == b""
    await until(lambda: swept)
    assert (await other.ask(plain("/b"))).body == b"reached /b"
