"""The Engine port over OPA's REST API: one kept connection, and batches without a timer.

The first question goes at once; what queues while a call is out goes in the next, up to 32 together. A batch that fails or is
slow is asked again one by one on a second connection, so that one agent's question cannot deny the others (SEMANTICS 1.6); a
question that is slow there lets the others go first. A kept connection that turns out closed is opened once more: a question
changes nothing, so it may be asked twice. Every question is answered, or refused, within `timeout`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from firewall.backends.opa_link import Broken, Link, open_link, parse_url, tls_context
from firewall.backends.opa_reply import Nonsense, verdict
from firewall.errors import EngineUnavailable
from firewall.verdict import Verdict

BATCH = 32
QUEUE = 10_000
SLOW = 0.5
TIMEOUT = 2.0
MAX_QUESTION = 1 << 20
TICK = 0.1

# Strict: a builtin that fails must fail the call, not leave the rule it stands in undefined.
ONE = "/v1/data/firewall/decision?strict-builtin-errors=true"
MANY = "/v1/data/firewall/decisions?strict-builtin-errors=true"
PROBE = b'{"input":{}}'


class _Asked:
    """A question on its way. `deadline`: monotonic seconds."""

    __slots__ = ("deadline", "future", "json")

    def __init__(self, json: bytes, future: asyncio.Future[Verdict], deadline: float) -> None:
        self.json = json
        self.future = future
        self.deadline = deadline

    def fail(self, message: str) -> None:
        if not self.future.done():
            self.future.set_exception(EngineUnavailable(f"the policy engine did not answer: {message}"))


class _Lane:
    """One connection, the questions waiting for it, and those in the call that is out on it."""

    __slots__ = ("batch", "link", "opening", "out", "queue", "since", "tried")

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.queue: deque[_Asked] = deque()
        self.out: list[_Asked] = []
        self.since = 0.0
        self.tried = False
        self.link: Link | None = None
        self.opening: asyncio.Task[None] | None = None


class OpaEngine:
    """The `Engine` port. Belongs to one event loop."""

    def __init__(self, url: str, *, ca_file: Path | None = None, timeout: float = TIMEOUT, slow: float = SLOW) -> None:
        self._place = parse_url(url)
        self._tls = tls_context(self._place, ca_file)
        self._timeout = timeout
        self._slow = slow
        self._together = _Lane(BATCH)
        self._single = _Lane(1)
        self._ticking: asyncio.TimerHandle | None = None
        self._closed = False
        head = f" HTTP/1.1\r\nHost: {self._place.authority}\r\nContent-Type: application/json\r\nContent-Length: "
        self._head_one = f"POST {ONE}{head}".encode("ascii")
        self._head_many = f"POST {MANY}{head}".encode("ascii")

    def decide(self, question: Mapping[str, Any]) -> asyncio.Future[Verdict]:
        """The verdict. The future raises EngineUnavailable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Verdict] = loop.create_future()
        try:
            text = orjson.dumps(question)
        except TypeError as error:  # a lone surrogate, a number too large: nothing that OPA could be asked
            future.set_exception(EngineUnavailable(f"the question cannot be put to the policy engine: {error}"))
            return future
        lane = self._together
        if self._closed or len(text) > MAX_QUESTION or len(lane.queue) + len(self._single.queue) >= QUEUE:
            reason = "it is closed" if self._closed else "too many or too large questions"
            future.set_exception(EngineUnavailable(f"the policy engine cannot be asked: {reason}"))
            return future
        lane.queue.append(_Asked(text, future, time.monotonic() + self._timeout))
        if not lane.out:
            self._next(lane)
        if self._ticking is None:
            self._ticking = loop.call_later(TICK, self._tick)
        return future

    # --- one call after another

    def _next(self, lane: _Lane) -> None:
        while not lane.out and lane.queue:
            size = 0
            while lane.queue and len(lane.out) < lane.batch and size < MAX_QUESTION:
                asked = lane.queue.popleft()
                if not asked.future.done():  # whoever asked may have left
                    lane.out.append(asked)
                    size += len(asked.json)
        if lane.out:
            lane.tried = False
            lane.since = time.monotonic()
            self._send(lane)

    def _send(self, lane: _Lane) -> None:
        link = lane.link
        if link is None or link.closed:
            lane.link = None
            lane.opening = asyncio.get_running_loop().create_task(self._open(lane))
            return
        if len(lane.out) == 1:
            head, body = self._head_one, b'{"input":' + lane.out[0].json + b"}"
        else:
            head, body = self._head_many, b'{"input":{"batch":[' + b",".join([asked.json for asked in lane.out]) + b"]}}"
        link.call(b"%b%d\r\n\r\n%b" % (head, len(body), body), partial(self._answered, lane), partial(self._broke, lane))

    async def _open(self, lane: _Lane) -> None:
        try:
            lane.link = await open_link(self._place, self._tls)
        except Broken as error:
            lane.opening = None
            self._give_up(lane, str(error))
            return
        lane.opening = None
        self._send(lane)

    def _answered(self, lane: _Lane, status: int, body: bytes) -> None:
        out, lane.out = lane.out, []
        try:
            verdicts = _verdicts(status, body, len(out))
        except Nonsense as error:
            self._again(out, f"its answer is nonsense: {error}")
        except Exception as error:  # a defect in the reading must not leave those waiting who asked
            self._again(out, f"its answer cannot be read: {type(error).__name__}")
        else:
            for asked, found in zip(out, verdicts, strict=True):
                if isinstance(found, Nonsense):
                    asked.fail(f"its answer is nonsense: {found}")
                elif not asked.future.done():
                    asked.future.set_result(found)
        self._next(lane)

    def _broke(self, lane: _Lane, error: Broken) -> None:
        lane.link = None
        if error.stale and not lane.tried:
            lane.tried = True
            self._send(lane)
            return
        out, lane.out = lane.out, []
        self._again(out, str(error))
        self._next(lane)

    def _again(self, out: list[_Asked], message: str) -> None:
        """A batch goes one by one; a single question has had its chance."""
        if len(out) == 1:
            out[0].fail(message)
            return
        self._single.queue.extend(out)
        if not self._single.out:
            self._next(self._single)

    def _give_up(self, lane: _Lane, message: str) -> None:
        """OPA cannot be reached at all, so asking one by one would change nothing."""
        out, lane.out = lane.out, []
        for asked in (*out, *lane.queue):
            asked.fail(message)
        lane.queue.clear()

    # --- time

    def _tick(self) -> None:
        now = time.monotonic()
        for lane in (self._together, self._single):
            for asked in lane.out:
                if now >= asked.deadline:
                    asked.fail("no answer in time")
            # The single lane's order is not the deadlines', so all of a queue is looked at.
            for asked in lane.queue:
                if now >= asked.deadline:
                    asked.fail("no answer in time")
            slow = now - lane.since >= self._slow and (len(lane.out) > 1 or bool(lane.queue))
            if lane.out and (slow or all(asked.future.done() for asked in lane.out)):
                self._abandon(lane)
        busy = any(lane.out or lane.queue for lane in (self._together, self._single))
        self._ticking = asyncio.get_running_loop().call_later(TICK, self._tick) if busy else None

    def _abandon(self, lane: _Lane) -> None:
        out, lane.out = lane.out, []
        if lane.opening is not None:
            lane.opening.cancel()
            lane.opening = None
        if lane.link is not None:
            lane.link.abandon()
            lane.link = None
        self._single.queue.extend(asked for asked in out if not asked.future.done())
        self._next(lane)
        if not self._single.out:
            self._next(self._single)

    # --- readiness and the end

    async def ready(self) -> bool:
        """Whether OPA is up and has a policy: its health page, and a decision that names a revision."""
        host = self._place.authority.encode("ascii")
        try:
            async with asyncio.timeout(self._timeout):
                link = await open_link(self._place, self._tls)
                try:
                    status, _ = await _call(link, b"GET /health HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
                    if status != 200 or link.closed:
                        return False
                    status, body = await _call(link, b"%b%d\r\n\r\n%b" % (self._head_one, len(PROBE), PROBE))
                finally:
                    link.abandon()
            result = orjson.loads(body).get("result") if status == 200 else None
        except (Broken, TimeoutError, orjson.JSONDecodeError, AttributeError):
            return False
        return isinstance(result, dict) and isinstance(result.get("revision"), str) and result["revision"] != ""

    async def close(self) -> None:
        self._closed = True
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        for lane in (self._together, self._single):
            opening, lane.opening = lane.opening, None
            if opening is not None:
                opening.cancel()
                await asyncio.gather(opening, return_exceptions=True)
            if lane.link is not None:
                lane.link.abandon()
                lane.link = None
            self._give_up(lane, "the gateway is closing")


async def _call(link: Link, request: bytes) -> tuple[int, bytes]:
    future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

    def done(status: int, body: bytes) -> None:
        if not future.done():
            future.set_result((status, body))

    def failed(error: Broken) -> None:
        if not future.done():
            future.set_exception(error)

    link.call(request, done, failed)
    return await future


def _verdicts(status: int, body: bytes, count: int) -> list[Verdict | Nonsense]:
    """One for each question, in order. Raises Nonsense when the answer as a whole is none."""
    if status != 200:
        raise Nonsense(f"status {status}")
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Nonsense("it is not JSON") from None
    if not isinstance(answer, dict) or "result" not in answer:
        raise Nonsense("it holds no result; is a policy loaded?")
    results = [answer["result"]] if count == 1 else answer["result"]
    if not isinstance(results, list) or len(results) != count:
        raise Nonsense("it does not hold one decision for each question")
    return [_verdict(result) for result in results]


def _verdict(result: object) -> Verdict | Nonsense:
    try:
        return verdict(result)
    except Nonsense as error:
        return error
