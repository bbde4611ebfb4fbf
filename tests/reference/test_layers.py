"""mitmproxy's own layers are the oracle for well-formed traffic: the same requests through stock `mitmdump` and through the engine
give the destination the same messages, and the client the same answers. What belongs to one connection alone (RFC 9110, section
7.6.1) and how a body is framed may differ."""

import asyncio
import base64
import random
import string
from itertools import pairwise
from pathlib import Path

from firewall.request import HOP_BY_HOP
from tests.attacks.unguarded import mitmdump
from tests.e2e.pki import TestAuthority
from tests.e2e.upstream import LoopThread, Seen, Upstream
from tests.gateway.rig import TOKEN, Answer, Rig, Wire, running

REQUESTS = 120
OWN = frozenset(name.decode() for name in HOP_BY_HOP) | {"host", "content-length", "expect", "via"}
TOKEN_CHARACTERS = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
VALUE_CHARACTERS = string.ascii_letters + string.digits + " \t!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"
PATH_CHARACTERS = string.ascii_letters + string.digits + "-._~!$&'()*+,=:@"


class Made:
    """One well-formed request, drawn from `random`."""

    def __init__(self, chance: random.Random) -> None:
        self.method = chance.choice(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "HEAD"])
        segments = [self._segment(chance) for _ in range(chance.randint(1, 5))]
        if chance.random() < 0.3:
            segments.append("%20" + chance.choice(["%C3%A9", "a%2Bb", "%7E"]))
        self.path = "/any/" + "/".join(segments)
        if chance.random() < 0.5:
            values = chance.choices(["", "a%20b", "1", "x/y?z", "%2F"], k=chance.randint(1, 4))
            self.path += "?" + "&".join(f"k{n}={value}" for n, value in enumerate(values))
        self.fields = [
            ("X-" + "".join(chance.choices(TOKEN_CHARACTERS, k=chance.randint(1, 20))), self._value(chance))
            for _ in range(chance.randint(0, 8))
        ]
        if chance.random() < 0.3:
            self.fields += [("Cookie", "a=1; b=2"), ("Accept", "*/*"), ("accept", "text/html")]
        self.body = b""
        self.framing = "none"
        if self.method not in {"GET", "HEAD", "OPTIONS"} and chance.random() < 0.8:
            self.body = chance.randbytes(chance.choice([0, 1, 100, 5000, 70_000]))
            self.framing = chance.choice(["length", "chunked"])
        self.cuts = sorted(chance.sample(range(1, 400), k=chance.randint(0, 3)))

    @staticmethod
    def _segment(chance: random.Random) -> str:
        return "".join(chance.choices(PATH_CHARACTERS, k=chance.randint(1, 12))).strip(".") or "x"

    @staticmethod
    def _value(chance: random.Random) -> str:
        return "".join(chance.choices(VALUE_CHARACTERS, k=chance.randint(0, 40))).strip(" \t")

    def wire(self, authority: str, proof: str) -> list[bytes]:
        """As it is sent to a proxy, in pieces."""
        lines = [f"{self.method} http://{authority}{self.path} HTTP/1.1", f"Host: {authority}", proof]
        lines += [f"{name}: {value}" for name, value in self.fields]
        body = self.body
        if self.framing == "length":
            lines.append(f"Content-Length: {len(body)}")
        elif self.framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
            size = 1 + len(body) // 3
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            body = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        whole = "\r\n".join([*filter(None, lines), "", ""]).encode() + body
        edges = [0, *(cut for cut in self.cuts if cut < len(whole)), len(whole)]
        return [whole[a:b] for a, b in pairwise(edges)]


async def ask(port: int, pieces: list[bytes], *, head: bool) -> Answer:
    wire = Wire(*await asyncio.open_connection("127.0.0.1", port))
    try:
        for piece in pieces:
            await wire.send(piece)
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            return await wire.answer(head_only=head)
    finally:
        await wire.close()


def told(seen: Seen) -> tuple[str, str, list[tuple[str, str]], bytes]:
    return seen.method, seen.path, sorted((name, value) for name, value in seen.headers.items() if name not in OWN), seen.body


async def test_a_destination_gets_the_same_message_from_both(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    thread = LoopThread()
    upstream = Upstream(thread, TestAuthority(tmp_path).issue("up.test"))
    upstream.start()
    proof = "Proxy-Authorization: Basic " + base64.b64encode(f"demo:{TOKEN}".encode()).decode()
    try:
        with mitmdump(tmp_path / "mitmproxy") as stock:
            async with running(upstream) as rig:
                for number in range(REQUESTS):
                    made = Made(chance)
                    ours = await _through(rig, upstream, made, rig.port, "up.test", proof)
                    theirs = await _through(rig, upstream, made, stock, f"127.0.0.1:{upstream.http_port}", "")
                    assert ours == theirs, (seed, number)
    finally:
        upstream.stop()
        thread.close()


async def _through(
    rig: Rig, upstream: Upstream, made: Made, port: int, authority: str, proof: str
) -> tuple[tuple[str, str, list[tuple[str, str]], bytes], int, bytes]:
    upstream.log.requests.clear()
    answer = await ask(port, made.wire(authority, proof), head=made.method == "HEAD")
    (seen,) = upstream.log.requests
    return told(seen), answer.status, answer.body
