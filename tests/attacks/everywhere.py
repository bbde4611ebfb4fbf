"""A network namespace in which every address is local and each SYN is seen: whatever the gateway dials, it reaches, and it shows.
Runs as a program, reads `Question`s as JSON on stdin and says as JSON on stdout what became of each."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from unittest import mock

from firewall.backends.dns import Dns
from tests.attacks.names import lie
from tests.attacks.scene import governed, resolving
from tests.attacks.vector import Naming
from tests.attacks.witness import Witness
from tests.e2e.jail import entry
from tests.firewall.backends.dns_server import DnsServer, dns_server
from tests.gateway.rig import Rig, plain

ROOT = Path(__file__).parents[2]
EVERYWHERE = ("ip link set lo up", "ip route add local 0.0.0.0/0 dev lo", "ip -6 route add local ::/0 dev lo")
WEB = 80
IPV4, IPV6, TCP, SYN, ACK = 0x0800, 0x86DD, 6, 2, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`says`: what DNS answers about the name, the first time, the second time …; each request asks anew. `guarded`: with the
    classification of addresses."""

    says: list[list[str]]
    guarded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Became:
    """`statuses` and `details` of the answers, `dialled`: where SYNs went, in order, each of them once for each request."""

    statuses: list[int]
    details: list[str]
    dialled: list[str]


class Syns:
    """All that passes the loopback device, of which it takes the SYNs."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.setblocking(False)
        self._socket.bind(("lo", 0))

    def seen(self, *ours: int) -> list[str]:
        """Where they went since the last time, but for those to `ours`, the test's own ports."""
        found: dict[str, None] = {}
        with suppress(BlockingIOError):
            while True:
                where = _syn(self._socket.recv(2048))
                if where is not None and where[1] not in ours:
                    found[where[0]] = None
        return list(found)

    def close(self) -> None:
        self._socket.close()


def _syn(packet: bytes) -> tuple[str, int] | None:
    kind, rest = int.from_bytes(packet[12:14]), packet[14:]
    if kind == IPV4 and rest[9] == TCP:
        to, segment = rest[16:20], rest[(rest[0] & 15) * 4 :]
    elif kind == IPV6 and rest[6] == TCP:
        to, segment = rest[24:40], rest[40:]
    else:
        return None
    return (str(ip_address(to)), int.from_bytes(segment[2:4])) if segment[13] & (SYN | ACK) == SYN else None


async def answer(questions: Sequence[Question]) -> list[Became]:
    for command in EVERYWHERE:
        subprocess.run(command.split(), check=True)
    clock, syns = [0.0], Syns()
    async with AsyncExitStack() as stack:
        for address in ("0.0.0.0", "::"):
            await stack.enter_async_context(Witness().serving(address=address, port=WEB))
        dns = await stack.enter_async_context(dns_server())
        resolver = resolving(Dns([dns.where]), clock)
        stack.push_async_callback(resolver.close)
        rig = await stack.enter_async_context(governed("", resolver))
        stack.callback(syns.close)
        return [await one(number, question, dns, rig, syns, clock) for number, question in enumerate(questions)]


async def one(number: int, question: Question, dns: DnsServer, rig: Rig, syns: Syns, clock: list[float]) -> Became:
    host = f"evil{number}.test"
    lie(dns, Naming(attack="", source="", host=host, says=tuple(map(tuple, question.says)), answers=()))
    became = Became(statuses=[], details=[], dialled=[])
    with nullcontext() if question.guarded else mock.patch("addons.locate._refusal", return_value=None):
        for _ in question.says:
            syns.seen()
            got = await rig.ask(plain("/", host=host))
            became.statuses.append(got.status)
            became.details.append(got.json()["detail"] if "x-aaf-decision" in got.headers else "")
            became.dialled.extend(syns.seen(rig.port, dns.port))
            clock[0] += 60
    return became


def missing() -> str | None:
    """Why such a namespace cannot be had here, if it cannot."""
    sniffs = f"{sys.executable} -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'"
    command = " && ".join([*EVERYWHERE, sniffs])
    try:
        done = subprocess.run([*entry(), "sh", "-c", command], capture_output=True, text=True)
    except FileNotFoundError:
        return "unshare is not installed"
    return None if done.returncode == 0 else f"no network namespace in which every address is local: {done.stderr.strip()}"


def ask(questions: Mapping[str, Question]) -> dict[str, Became]:
    done = subprocess.run(
        [*entry(), sys.executable, "-m", "tests.attacks.everywhere"],
        input=json.dumps([asdict(one) for one in questions.values()]), capture_output=True, text=True, cwd=ROOT, timeout=60,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(zip(questions, (Became(**one) for one in json.loads(done.stdout)), strict=True))


if __name__ == "__main__":
    answers = asyncio.run(answer([Question(**one) for one in json.load(sys.stdin)]))
    json.dump([asdict(one) for one in answers], sys.stdout)
