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
from benchmarks.rules import LOAD

BODY = json.dumps({"data": "y" * (2048 - 12)}).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`kind`: http and https on kept connections, new for a new HTTPS connection each. `credentials`: each agent's `name:token`."""

    kind: str
    method: str
    concurrency: int
    seconds: float
    host: str
    port: int
    proxy_port: int
    ca_file: str
    credentials: list[str]


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
        self._open: dict[str, Connection] = {}
        self._count = 0

    async def prepare(self) -> None:
        """Opens what is kept open, and sends one request on each."""
        if self._job.kind != "new":
            for credential in self._mine:
                connection = self._open[credential] = await self._connect(credential)
                status, _ = await connection.ask(self._next(credential))
                self._result.add(status)

    async def run(self, stop: float) -> None:
        fresh = self._job.kind == "new"
        while time.perf_counter() < stop:
            credential = self._mine[self._count % len(self._mine)]
            text = self._next(credential)
            begin = time.perf_counter_ns()
            connection = await self._connect(credential) if fresh else self._open[credential]
            status, _ = await connection.ask(text)
            self._result.latencies.append(time.perf_counter_ns() - begin)
            self._result.add(status)
            if fresh:
                connection.close()

    async def _connect(self, credential: str) -> Connection:
        return await connect(self._proxy(credential), self._job.host, self._job.port, self._tls)

    def _proxy(self, credential: str) -> Proxy:
        return Proxy(host="127.0.0.1", port=self._job.proxy_port, credential=credential)

    def _next(self, credential: str) -> bytes:
        self._count += 1
        job, path = self._job, f"{LOAD}{self._number}/{self._count}?page={self._count % 7}"
        body = BODY if job.method == "POST" else b""
        tunnelled = self._tls is not None
        return request(self._proxy(credential), job.method, job.host, job.port, path, body, tunnelled=tunnelled)


async def main() -> None:
    job = Job(**json.loads(sys.stdin.readline()))
    tls = None if job.kind == "http" else ssl.create_default_context(cafile=job.ca_file)
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
