"""What the gateway worker holds in memory: while many requests are held, while bodies stream, and while somebody sends or does not
read what nobody should keep. Each figure has its limit."""

import asyncio
import resource
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.bulk import BULK, Stream
from benchmarks.bulk_http2 import Http2Stream, open_stream
from benchmarks.client import Proxy, connect, request
from benchmarks.held import Crowd, approve, opened, pending
from benchmarks.place import Place
from benchmarks.rules import HELD
from benchmarks.system import Access, Target, firewall
from firewall.backends.postgres.store import Store

MEGABYTE = 1 << 20
UPLOAD = 300 * MEGABYTE
STREAM = 1024 * MEGABYTE
SAMPLE_SECONDS = 0.01
STILL_SECONDS = 1.0
"""How long what cannot move is watched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`value` and `limit` in `unit`."""

    name: str
    value: float
    limit: float
    unit: str = "MB"

    @property
    def over(self) -> bool:
        return self.value > self.limit


def measure(folder: Path, place: Place, *, quick: bool) -> list[Figure]:
    """On workers that are new, for their size counts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with firewall(folder, place) as (target, access):
        found = uvloop.run(bodies(target, access, place, share=0.1 if quick else 1))
    with firewall(folder, place) as (target, access):
        found.append(uvloop.run(crowded(target, access, place, many=500 if quick else 10_000)))
    return found


def each(bytes_each: int, many: int) -> Figure:
    """Of requests that are held over HTTPS, their connections included."""
    return Figure(name=f"each of {many:,} held HTTPS requests", value=bytes_each / 1024, limit=60, unit="KiB")


class Peak:
    """Bytes that the worker holds: before, and at most while it was watched."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.before = self.most = target.resident()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator["Peak"]:
        task = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            self.most = max(self.most, self._target.resident())
            await asyncio.sleep(SAMPLE_SECONDS)

    def moved(self, name: str, limit: float) -> Figure:
        return Figure(name=name, value=(self.most - self.before) / MEGABYTE, limit=limit)

    def held(self, name: str, limit: float) -> Figure:
        return Figure(name=name, value=self.most / MEGABYTE, limit=limit)


async def bodies(target: Target, access: Access, place: Place, *, share: float) -> list[Figure]:
    """`share`: of the sizes that the limits speak of."""
    asker = Asker(target, place)
    stream, upload = int(STREAM * share), int(UPLOAD * share)
    found = []
    async with Peak(target).watched() as peak:
        await asker.stream(stream)
    found.append(peak.held(f"{_size(stream)} streamed each way at once", 120))
    async with Peak(target).watched() as peak:
        await asker.unread(stream)
    found.append(peak.held(f"an answer of {_size(stream)} that its client does not read", 120))
    for chunked in (False, True):
        async with Peak(target).watched() as peak:
            await asker.refused(upload, chunked=chunked)
        found.append(peak.moved(f"{_size(upload)} {'in chunks ' if chunked else ''}towards a hold, answered 413", 10))
    async with Peak(target).watched() as peak:
        await asker.stream_http2(stream)
    found.append(peak.held(f"{_size(stream)} streamed each way at once over HTTP/2", 120))
    async with Peak(target).watched() as peak:
        await asker.unread_http2(stream)
    found.append(peak.held(f"an answer of {_size(stream)} over HTTP/2 that its client does not read", 120))
    async with Peak(target).watched() as peak:
        await asker.refused_http2(upload)
    found.append(peak.moved(f"{_size(upload)} over HTTP/2 towards a hold, answered 413", 10))
    async with opened(access) as store, Peak(target).watched() as peak:
        await asker.pipelined(store, upload)
    found.append(peak.moved(f"{_size(upload)} behind a held request, answered 413", 10))
    return found


async def crowded(target: Target, access: Access, place: Place, *, many: int) -> Figure:
    """The worker with so many requests held at once."""
    async with opened(access) as store:
        crowd = Crowd(store, target, place, "many")
        await crowd.gather(many)
        size = target.resident()
        crowd.leave()
    return Figure(name=f"{many:,} requests held", value=size / MEGABYTE, limit=1024)


def _size(size: int) -> str:
    return f"{size / MEGABYTE / 1024:.0f} GB" if size >= 1024 * MEGABYTE else f"{size / MEGABYTE:.0f} MB"


class Asker:
    """One agent, on a new HTTPS connection each time."""

    def __init__(self, target: Target, place: Place) -> None:
        self._place = place
        self._proxy = Proxy(host="127.0.0.1", port=target.proxy_port, credential=target.credentials[0])
        self._tls, self._http2 = (ssl.create_default_context(cafile=target.ca_file) for _ in range(2))
        self._http2.set_alpn_protocols(["h2"])

    async def stream(self, size: int) -> None:
        """So many bytes each way, both at once."""
        stream = Stream(self._head("POST", f"{BULK}{size}", size), size, size)
        await self._begin(stream)
        await stream.done
        _expect(stream, b"HTTP/1.1 200 ")
        if stream.got < size:
            raise SystemExit(f"FAILED: an answer of {size} bytes ended after {stream.got}")
        stream.close()

    async def unread(self, size: int) -> None:
        stream = Stream(self._head("GET", f"{BULK}{size}", 0), 0, size)
        await self._begin(stream)
        await _until(lambda: stream.got > 0)
        stream.pause()
        await asyncio.sleep(STILL_SECONDS)
        stream.close()

    async def refused(self, size: int, *, chunked: bool) -> None:
        """So many bytes that would have to be held."""
        path = f"{HELD}large"
        head = self._head("POST", path, None if chunked else size)
        if chunked:
            head += b"%x\r\n" % size
        stream = Stream(head, size, size)
        await self._begin(stream)
        await _until(lambda: stream.got > 0)
        _expect(stream, b"HTTP/1.1 413 ")
        await stream.done  # all was taken and forgotten, or the connection has ended
        stream.close()

    async def pipelined(self, store: Store, size: int) -> None:
        """Behind a request that is held, and is approved after a while."""
        first = request(self._proxy, "POST", self._place.host, self._place.https, f"{HELD}first", b"{}", tunnelled=True)
        stream = Stream(first + self._head("POST", f"{HELD}large", size), size, size)
        await self._begin(stream)
        while not (held := await pending(store)):
            await asyncio.sleep(SAMPLE_SECONDS)
        await asyncio.sleep(STILL_SECONDS)
        if stream.sent >= size:
            raise SystemExit("FAILED: all of what came behind a held request was read")
        await approve(store, held[0][0])
        await _until(lambda: b"HTTP/1.1 413 " in stream.head or stream.done.done())
        _expect(stream, b"HTTP/1.1 200 ")
        if b"HTTP/1.1 413 " not in stream.head:
            raise SystemExit("FAILED: what was too large to hold was not answered 413")
        await stream.done
        stream.close()

    async def stream_http2(self, size: int) -> None:
        stream = await self._open("POST", f"{BULK}{size}", size)
        await stream.done
        if (stream.status, stream.got, stream.left) != (200, size, 0):
            raise SystemExit(f"FAILED: {stream.status}, {stream.got} bytes of {size}, over HTTP/2")
        stream.close()

    async def unread_http2(self, size: int) -> None:
        stream = await self._open("GET", f"{BULK}{size}", 0)
        await _until(lambda: stream.got > 0)
        stream.pause()
        await asyncio.sleep(STILL_SECONDS)
        stream.close()

    async def refused_http2(self, size: int) -> None:
        stream = await self._open("POST", f"{HELD}large", size)
        await stream.done
        if stream.status != 413:
            raise SystemExit(f"FAILED: 413 was expected over HTTP/2, not {stream.status}")
        stream.close()

    async def _open(self, method: str, path: str, size: int) -> Http2Stream:
        return await open_stream(self._proxy, self._place.host, self._place.https, self._http2, path, size, method)

    async def _begin(self, stream: Stream) -> None:
        connection = await connect(self._proxy, self._place.host, self._place.https, self._tls)
        assert connection.transport is not None
        stream.take(connection.transport)

    def _head(self, method: str, path: str, length: int | None) -> bytes:
        framing = "Transfer-Encoding: chunked\r\n" if length is None else f"Content-Length: {length}\r\n" if length else ""
        return f"{method} {path} HTTP/1.1\r\nHost: {self._place.host}:{self._place.https}\r\n{framing}\r\n".encode()


def _expect(stream: Stream, line: bytes) -> None:
    if not stream.head.startswith(line):
        raise SystemExit(f"FAILED: {line.decode()}was expected, not {stream.head[:200]!r}")


async def _until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not fact():
            await asyncio.sleep(SAMPLE_SECONDS)
