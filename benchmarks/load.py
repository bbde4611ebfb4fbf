"""Load from a process of its own: one JSON job on stdin; it opens its connections and says `ready`; at `go` it starts, and at
the end writes one JSON result."""

import asyncio
import json
import ssl
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import uvloop

from benchmarks.client import Connection, Proxy, connect, request

BODY = json.dumps({"data": "y" * 2030}).encode()


@dataclass(slots=True)
class Tally:
    latencies: list[int] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)


class Asker:
    """One of `concurrency` askers. It has a connection for each of its agents and asks on one after another."""

    def __init__(self, job: dict[str, Any], number: int) -> None:
        agents, concurrency = job["credentials"], job["concurrency"]
        self._job = job
        self._number = number
        self._mine = agents[number % len(agents) :: concurrency] or [agents[number % len(agents)]]
        self._tls = None if job["kind"] == "http" else ssl.create_default_context(cafile=job["ca_file"])
        self._open: dict[str, Connection] = {}
        self._count = 0

    async def prepare(self) -> None:
        """Opens what is kept open, and sends one request on each."""
        if self._job["kind"] != "new":
            for credential in self._mine:
                self._open[credential] = await self._connect(credential)
                await self._open[credential].ask(self._next(credential))

    async def run(self, stop: float, tally: Tally) -> None:
        fresh = self._job["kind"] == "new"
        while time.perf_counter() < stop:
            credential = self._mine[self._count % len(self._mine)]
            text = self._next(credential)
            begin = time.perf_counter_ns()
            connection = await self._connect(credential) if fresh else self._open[credential]
            status, _ = await connection.ask(text)
            tally.latencies.append(time.perf_counter_ns() - begin)
            if status != 200:
                tally.bad.append(status)
            if fresh:
                connection.close()

    async def _connect(self, credential: str) -> Connection:
        return await connect(self._proxy(credential), self._job["host"], self._job["port"], self._tls)

    def _proxy(self, credential: str) -> Proxy:
        return Proxy(host="127.0.0.1", port=self._job["proxy_port"], credential=credential)

    def _next(self, credential: str) -> bytes:
        self._count += 1
        job, path = self._job, f"/items/{self._number}/{self._count}?page={self._count % 7}"
        body = BODY if job["method"] == "POST" else b""
        tunnelled = self._tls is not None
        return request(self._proxy(credential), job["method"], job["host"], job["port"], path, body, tunnelled=tunnelled)


async def main() -> None:
    job = json.loads(sys.stdin.readline())
    askers = [Asker(job, number) for number in range(job["concurrency"])]
    await asyncio.gather(*(asker.prepare() for asker in askers))
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    tally = Tally()
    begin = time.perf_counter()
    await asyncio.gather(*(asker.run(begin + job["seconds"], tally) for asker in askers))
    took = time.perf_counter() - begin
    print(json.dumps({"requests": len(tally.latencies), "seconds": took, "bad": tally.bad[:5], "latencies": tally.latencies}))


if __name__ == "__main__":
    uvloop.run(main())
