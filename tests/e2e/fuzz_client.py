"""The agents of the fuzzer: each lane opens one connection after the other, as one of several agents, sends requests in ways that
nobody should, and looks at each answer: it must be its own request's, whole or visibly cut."""

import asyncio
import base64
import json
import os
import random
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.e2e import fuzz_site as site
from tests.e2e.fuzz_site import Site, pattern, reset
from tests.e2e.parts import Agent

HOSTS = ("a.test", "b.test")
CLOSED = "/closed/"
"""Paths below it are denied."""
SECONDS = 60.0
"""After which a connection counts as hung."""
SIZES = (0, 1, 50, 2000, 20_000, 300_000)
_GOOD = tuple(each.__name__ for each in site.GOOD)
_ANY = tuple(each.__name__ for each in site.ANY)
_CUT = tuple(each.__name__ for each in site.CUT)
_BAD = tuple(each.__name__ for each in site.BAD)


class Left(Exception):
    """This client went away by itself."""


class Torn(Exception):
    """The connection ended before the answer was complete."""


@dataclass(slots=True, kw_only=True)
class Request:
    """`send`: bytes of its body. `size`: of the answer's."""

    unique: str
    method: str
    do: str
    size: int
    send: int
    chunked: bool
    old: bool
    expects: bool
    denied: bool
    go: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def repeatable(self) -> bool:
        return self.method in {"GET", "HEAD", "DELETE"} and not self.send and not self.chunked

    def head(self, host: str, agent: Agent, *, plain: bool) -> bytes:
        path = f"{CLOSED if self.denied else '/f/'}{self.unique}?do={self.do}&n={self.size}&b={self.send}"
        target = f"http://{host}{path}" if plain else path
        lines = [f"{self.method} {target} HTTP/1.{0 if self.old else 1}", f"Host: {host}"]
        if plain:
            lines.append(credential(agent))
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif self.send or self.method in {"POST", "PUT"}:
            lines.append(f"Content-Length: {self.send}")
        if self.expects:
            lines.append("Expect: 100-continue")
        return "\r\n".join([*lines, "", ""]).encode()

    def body(self, chance: random.Random) -> bytes:
        body = pattern(self.unique, self.send)
        if not self.chunked:
            return body
        framed = b""
        while body:
            size = chance.choice((1, 100, 5000, len(body)))
            framed += b"%x\r\n%b\r\n" % (len(body[:size]), body[:size])
            body = body[size:]
        return framed + b"0\r\n\r\n"


@dataclass(slots=True)
class Answer:
    """`to_the_end`: only the end of the connection ends it."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    to_the_end: bool = False


def credential(agent: Agent) -> str:
    return "Proxy-Authorization: Basic " + base64.b64encode(f"{agent.name}:{agent.token}".encode()).decode()


@dataclass(slots=True)
class Tally:
    """`answers`: those that were looked at and are well."""

    answers: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def fault(self, request: Request, what: str) -> None:
        self.faults.append(f"{request.unique} ({request.method} {request.do}, {request.size}): {what}")

    def well(self, what: str) -> None:
        self.answers += 1
        self.counts[what] += 1


class Lane:
    """`stop`: whether enough was asked."""

    def __init__(
        self, number: int, seed: int, place: Site, agents: list[Agent], tls: ssl.SSLContext, tally: Tally, stop: Callable[[], bool]
    ) -> None:
        self._number = number
        self._chance = random.Random(f"{seed}/{number}")
        self._site, self._agents, self._tls, self._tally, self._stop = place, agents, tls, tally, stop
        self._count = 0

    async def run(self) -> None:
        while not self._stop():
            talk = Talk(self._chance, self._site, self._chance.choice(self._agents), self._tally, self._next)
            try:
                async with asyncio.timeout(SECONDS):
                    await talk.run(self._tls, self._stop)
            except TimeoutError:
                self._tally.faults.append(f"hung: {talk.told()}")
            except Left:
                self._tally.counts["left"] += 1
            finally:
                talk.end()

    def _next(self, agent: Agent) -> str:
        self._count += 1
        return f"{agent.name}.{self._number}.{self._count}"


class Talk:
    """One connection of one agent."""

    def __init__(self, chance: random.Random, place: Site, agent: Agent, tally: Tally, unique: Callable[[Agent], str]) -> None:
        self._chance, self._site, self._agent, self._tally, self._unique = chance, place, agent, tally, unique
        self._host = chance.choice(HOSTS)
        self._way = chance.choice(("tls", "tls", "plain", "tunnel"))
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None
        self._leaving = False
        self._early = False
        """An answer came before its request was all sent: the connection may end without a word."""
        self.doing = ""
        self._asked = 0

    async def run(self, tls: ssl.SSLContext, stop: Callable[[], bool]) -> None:
        self._tally.counts["connections"] += 1
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._agent.port, limit=1 << 20)
        if self._way != "plain":
            where = f"{self._host}:{443 if self._way == 'tls' else 80}"
            self._writer.write(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{credential(self._agent)}\r\n\r\n".encode())
            if not (await self._reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 "):
                self._tally.faults.append("a CONNECT was refused")
                return
        if self._way == "tls":
            if self._chance.random() < 0.02:
                raise Left
            await self._writer.start_tls(tls, server_hostname=self._host)
        if self._chance.random() < 0.02:
            await self._websocket()
            return
        for _ in range(self._chance.randint(1, 8)):
            if stop() or not await self._batch():
                return

    def end(self) -> None:
        if self._writer is None:
            return
        match self._chance.random():
            case low if low < 0.3:
                reset(self._writer)
            case low if low < 0.5:
                self._writer.transport.abort()
            case _:
                self._writer.close()

    def told(self) -> str:
        return f"{self._way}, number {self._asked}: {self.doing}"

    # --- requests

    def _request(self, *, alone: bool) -> Request:
        chance = self._chance
        do = chance.choices(
            (chance.choice(_GOOD), chance.choice(_CUT), chance.choice(_BAD), _ANY[0], "silent"), (85, 6, 6, 2.7, 0.3)
        )[0]
        method = chance.choice(("GET", "GET", "GET", "HEAD", "DELETE", "POST", "POST", "PUT"))
        if method == "HEAD" and do in (*_CUT, *_BAD):
            method = "GET"  # to HEAD, many of those lies are none
        old = alone and chance.random() < 0.06
        chunked = not old and method in {"POST", "PUT", "DELETE"} and chance.random() < 0.4
        has_body = chunked or method in {"POST", "PUT"}
        return Request(
            unique=self._unique(self._agent), method=method, do=do, size=chance.choice(SIZES),
            send=chance.choice((0, *SIZES)) if has_body else 0, chunked=chunked, old=old,
            expects=alone and not old and has_body and chance.random() < 0.2, denied=chance.random() < 0.06,
        )  # fmt: skip

    async def _batch(self) -> bool:
        """A few requests at once, and their answers. Whether the connection may carry more."""
        chance = self._chance
        many = chance.choice((1, 1, 1, 2, 3))
        requests = [self._request(alone=many == 1) for _ in range(many)]
        self._asked += 1
        self.doing = ", ".join(f"{request.method} {request.do} {request.unique}" for request in requests)
        leave = chance.choices(("no", "sending", "waiting", "reading"), (84, 6, 5, 5))[0]
        sending = asyncio.create_task(self._send(requests, leave == "sending"))
        try:
            if leave == "waiting":
                await asyncio.sleep(chance.random() * 0.05)
                raise Left
            for number, request in enumerate(requests):
                if chance.random() < 0.05:
                    await asyncio.sleep(chance.random() * 0.1)
                if not await self._answered(request, leave == "reading"):
                    self._tally.counts["unanswered"] += len(requests) - number - 1
                    return False
            await sending
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sending
        return True

    async def _send(self, requests: list[Request], part: bool) -> None:
        data = b""
        for request in requests:
            data += request.head(self._host, self._agent, plain=self._way == "plain")
            if request.expects:
                await self._write(data, part=False)
                data = b""
                with suppress(TimeoutError):
                    await asyncio.wait_for(request.go.wait(), self._chance.choice((0.01, 1)))
            data += request.body(self._chance)
        if not await self._write(data, part=part):
            self._leaving = True
            await asyncio.sleep(self._chance.choice((0, 0.001, 0.05)))
            self.end()  # which wakes whoever reads

    async def _write(self, data: bytes, *, part: bool) -> bool:
        """In odd pieces. `part`: not all of it, which gives False."""
        chance, writer = self._chance, self._writer
        assert writer is not None
        if part:
            data = data[: chance.randrange(len(data) or 1)]
        whole = chance.random() < 0.6
        while data:
            size = len(data) if whole else chance.choice((1, 10, 500, 5000, 100_000))
            try:
                writer.write(data[:size])
                await writer.drain()
            except OSError:
                return not part  # the reader will see why
            data = data[size:]
            if not whole and chance.random() < 0.3:
                await asyncio.sleep(chance.choice((0, 0, 0.001, 0.03)))
        return not part

    # --- answers

    async def _answered(self, request: Request, leave: bool) -> bool:
        answer = Answer()
        try:
            await self._read(request, answer, leave)
        except (EOFError, OSError, Torn):
            if self._leaving:
                raise Left from None
            return self._cut(request, answer)
        except ValueError as error:
            self._tally.fault(request, f"no HTTP: {error}")
            return False
        return self._whole(request, answer)

    async def _read(self, request: Request, answer: Answer, leave: bool) -> None:
        while True:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            answer.status = int(first.split(" ", 2)[1])
            answer.fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if answer.status == 100:
                request.go.set()
            elif answer.status > 199:
                break
            elif request.old or {"interim": request.unique, "odd_head": None}.get(request.do, "") != answer.fields.get("x-id"):
                self._tally.fault(request, f"an interim answer of another: {head!r}")
        request.go.set()
        if leave and answer.fields.get("x-id") == request.unique:
            raise Left
        await self._read_body(request, answer)

    async def _read_body(self, request: Request, answer: Answer) -> None:
        if request.method == "HEAD" or answer.status in (204, 304):
            return
        if answer.fields.get("transfer-encoding") == "chunked":
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                await self._take(answer, size)
                if await self._reader.readexactly(2) != b"\r\n":
                    raise ValueError("a chunk without an end")
            while (line := await self._reader.readuntil(b"\r\n")) != b"\r\n":
                name, _, value = line.decode().partition(":")
                answer.fields[name.lower()] = value.strip()
        elif "content-length" in answer.fields:
            await self._take(answer, int(answer.fields["content-length"]))
        else:
            answer.to_the_end = True
            while data := await self._reader.read(1 << 16):
                answer.body += data
            if self._leaving:
                raise Torn

    async def _take(self, answer: Answer, size: int) -> None:
        while size:
            data = await self._reader.read(min(size, 1 << 16))
            if not data:
                raise Torn
            answer.body += data
            size -= len(data)

    # --- what is right

    def _whole(self, request: Request, answer: Answer) -> bool:
        tally = self._tally
        if answer.fields.get("content-type") == "application/problem+json":
            self._ours(request, answer)
        elif request.denied or request.do in (*_BAD, "silent"):
            tally.fault(request, f"an answer that cannot be: {answer}")
        elif answer.fields.get("x-id") != request.unique or (answer.status == 200) == (request.do == "empty"):
            tally.fault(request, f"the answer of another: {answer.status} {answer.fields}")
        else:
            full = b"" if request.method == "HEAD" or request.do == "empty" else pattern(request.unique, request.size)
            if answer.body != full and not (full.startswith(answer.body) and self._unclear(request, answer)):
                tally.fault(request, f"another body: {bytes(answer.body[:60])!r}, {len(answer.body)} of {len(full)} bytes")
            elif request.do in _CUT and not self._unclear(request, answer):
                tally.fault(request, f"its answer was cut, and seems complete; {self.told()}")
            elif answer.fields.get("x-last") != (request.unique if self._has_trailers(request) else None):
                tally.fault(request, f"its trailers are lost: {answer.fields}")
            else:
                tally.well("whole")
                self._early = self._early or (bool(request.send or request.chunked) and request.do in site.EARLY)
        return answer.fields.get("connection") != "close" and not answer.to_the_end

    def _has_trailers(self, request: Request) -> bool:
        return request.do == "trailers" and request.method != "HEAD" and not request.old

    def _killed(self, request: Request) -> bool:
        return any(arrival.killed for arrival in self._site.arrivals.get(request.unique, []))

    def _unclear(self, request: Request, answer: Answer) -> bool:
        """Whether the end may be an end or a cut: the destination killed a connection by FIN, or it is TLS, of which asyncio does
        not say how it ended."""
        return answer.to_the_end and (self._killed(request) or (self._way == "tls" and request.do in _CUT))

    def _ours(self, request: Request, answer: Answer) -> None:
        if request.method != "HEAD":
            json.loads(answer.body)
        if request.denied:
            right = {403}
        elif request.do == "silent":
            right = {502, 504} if self._excused(request) else {504}
        else:
            right = {502} if request.do in (*_CUT, *_BAD, *_ANY) or self._excused(request) else set()
        if answer.status in right:
            self._tally.well(f"ours: {answer.status}")
        else:
            came = self._site.arrivals.get(request.unique)
            self._tally.fault(request, f"{answer.status} {bytes(answer.body).decode()}, arrivals {came}; {self.told()}")

    def _excused(self, request: Request) -> bool:
        return self._site.excuses(request.unique, repeatable=request.repeatable)

    def _cut(self, request: Request, answer: Answer) -> bool:
        if answer.status > 199 and answer.fields.get("x-id") not in (None, request.unique):
            self._tally.fault(request, f"the answer of another: {answer.fields}")
        elif "x-id" in answer.fields and not pattern(request.unique, request.size).startswith(answer.body):
            self._tally.fault(request, f"another body: {bytes(answer.body[:60])!r}")
        elif request.do in _CUT or request.do in _ANY or self._excused(request):
            self._tally.counts["cut"] += 1
        elif not answer.status and self._early:
            self._tally.counts["unanswered"] += 1
        else:
            came = self._site.arrivals.get(request.unique)
            self._tally.fault(request, f"cut after {answer.status}, {len(answer.body)} bytes; arrivals {came}; {self.told()}")
        return False

    # --- WebSocket

    async def _websocket(self) -> None:
        assert self._writer is not None
        unique = self._unique(self._agent)
        path = f"/f/{unique}?do=websocket&n=0&b=0"
        target, lines = (f"http://{self._host}{path}", credential(self._agent) + "\r\n") if self._way == "plain" else (path, "")
        key = base64.b64encode(os.urandom(16)).decode()
        self._writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {self._host}\r\n{lines}Connection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 ") or f"X-Id: {unique}\r\n".encode() not in head:
            came = self._site.arrivals.get(unique, [])
            if not (head.startswith(b"HTTP/1.1 502") and (not came or came[0].killed)):
                self._tally.faults.append(f"a WebSocket was answered {head!r}, arrivals {came}")
            return
        for number in range(self._chance.randint(0, 4)):
            if self._chance.random() < 0.1:
                raise Left
            self._writer.write(_frame(1, b"%d" % number))
            wanted = f"{unique}/{number}".encode()
            try:
                first, size = await self._reader.readexactly(2)
                got = await self._reader.readexactly(size)
            except (EOFError, OSError):
                return
            if first == 0x81 and got == wanted:
                self._tally.well("frames")
            elif first != 0x88:
                self._tally.faults.append(f"a frame of another: {got!r} for {wanted!r}")
        self._writer.write(_frame(8, b"\x03\xe8"))


def _frame(opcode: int, data: bytes) -> bytes:
    mask = os.urandom(4)
    return bytes((0x80 | opcode, 0x80 | len(data))) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))
