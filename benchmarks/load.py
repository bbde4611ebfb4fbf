"""Load from a process of its own: one JSON job on stdin; it opens its connections and says `ready`; at `go` it starts, and at
the end writes one JSON result."""

import asyncio
import json
import ssl
import sys
import time
from dataclasses import asdict, dataclass, field

import uvloop

from benchmarks.client import Connection, Proxy, connect, request
from benchmarks.http2 import Http2Connection, connect_http2
from benchmarks.rules import LOAD

BODY = json.dumps({"data": "y" * (2048 - 12)}).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`kind`: http, https and http2 on kept connections, new for a new HTTPS connection each, direct for HTTPS without a proxy.
    `credentials`: each agent's `name:token`. `rate`: requests a second, all askers together; 0: as many as are answered."""

    kind: str
    method: str
    concurrency: int
    seconds: float
    host: str
    port: int
    proxy_port: int
    ca_file: str
    credentials: list[str]
    rate: float = 0.0


@dataclass(slots=True, kw_only=True)
class Result:
    """`asked`: all requests that were answered, those that warmed up the connections included. `latencies`: ns, of those on the
    clock. `bad`: statuses other than 200."""

    asked: int = 0
    seconds: float = 0.0
    bad: list[int] = field(default_factory=list)
    latencies: list[int] = field(default_factory=list)

    def add(self, status: int) -> None:
        self.asked += 1
        if status != 200:
            self.bad.append(status)


def share(credentials: list[str], number: int, askers: int) -> list[str]:
    """The agents for whom the asker of this number asks: every agent has one, and no asker is without."""
    return credentials[number::askers] or [credentials[number % len(credentials)]]


class Asker:
    """It has a connection for each of its agents and asks on one after another."""

    def __init__(self, job: Job, number: int, tls: ssl.SSLContext | None, result: Result) -> None:
        self._job = job
        self._number = number
        self._mine = share(job.credentials, number, job.concurrency)
        self._tls = tls
        self._result = result
        self._open: dict[str, Connection | Http2Connection] = {}
        self._count = 0

    async def prepare(self) -> None:
        """Opens what is kept open, and sends one request on each."""
        if self._job.kind != "new":
            for credential in self._mine:
                connection = self._open[credential] = await self._connect(credential)
                self._result.add(await self._ask(connection, self._next(credential)))

    async def run(self, stop: float) -> None:
        fresh = self._job.kind == "new"
        every = self._job.concurrency / self._job.rate if self._job.rate else 0.0
        due = time.perf_counter() + every * self._number / self._job.concurrency
        while time.perf_counter() < stop:
            if every:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                due += every
            credential = self._mine[self._count % len(self._mine)]
            path = self._next(credential)
            begin = time.perf_counter_ns()
            connection = await self._connect(credential) if fresh else self._open[credential]
            status = await self._ask(connection, path)
            self._result.latencies.append(time.perf_counter_ns() - begin)
            self._result.add(status)
            if fresh:
                connection.close()

    async def _connect(self, credential: str) -> Connection | Http2Connection:
        job = self._job
        if job.kind == "direct":
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(Connection, job.host, job.port, ssl=self._tls)
            return connection
        if job.kind == "http2" and self._tls is not None:
            return await connect_http2(self._proxy(credential), job.host, job.port, self._tls)
        return await connect(self._proxy(credential), job.host, job.port, self._tls)

    async def _ask(self, connection: Connection | Http2Connection, asked: bytes | str) -> int:
        if isinstance(connection, Http2Connection):
            body = BODY if self._job.method == "POST" else b""
            return (await connection.ask(self._job.method, f"{self._job.host}:{self._job.port}", str(asked), body))[0]
        assert isinstance(asked, bytes)
        return (await connection.ask(asked))[0]

    def _proxy(self, credential: str) -> Proxy:
        return Proxy(host="127.0.0.1", port=self._job.proxy_port, credential=credential)

    def _next(self, credential: str) -> bytes | str:
        """The next request: whole, or its path for HTTP/2."""
        self._count += 1
        job, path = self._job, f"{LOAD}{self._number}/{self._count}?page={self._count % 7}"
        if job.kind == "http2":
            return path
        body = BODY if job.method == "POST" else b""
        tunnelled = self._tls is not None
        return request(self._proxy(credential), job.method, job.host, job.port, path, body, tunnelled=tunnelled)


async def main() -> None:
    job = Job(**json.loads(sys.stdin.readline()))
    tls = None if job.kind == "http" else ssl.create_default_context(cafile=job.ca_file)
    if job.kind == "http2" and tls is not None:
        tls.set_alpn_protocols(["h2"])
    result = Result()
    askers = [Asker(job, number, tls, result) for number in range(job.concurrency)]
    await asyncio.gather(*(asker.prepare() for asker in askers))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    begin = time.perf_counter()
    await asyncio.gather(*(asker.run(begin + job.seconds) for asker in askers))
    result.seconds = time.perf_counter() - begin
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    uvloop.run(main())
