"""What a request's name costs, with every shipped catalog loaded: one look-up, a whole classification, the worst of hostile paths,
loading, and a worker's own memory. `python -m benchmarks.classify` measures this alone.

Times are the best of several rounds for each request, because one core of a busy machine is measured; the median and p99 are over
requests, one for each of a sample of operations, each asked once a round. The baseline is what everybody writes first: a list of
compiled regular expressions for the same host, tried in order.
"""

import contextlib
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from firewall.backends.catalogs import load_shipped, prepare, shipped_texts
from firewall.classify import classify, wants_body
from firewall.classify.catalog.facts import parse_facts
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.catalog.template import joined, parse_template
from firewall.classify.known import Known
from firewall.request import Request, parse

HOST = "api.github.com"
"""Of the baseline: the host with the most operations of one document."""
ROUNDS = 5
HEADERS = (
    (b"accept", b"application/json"), (b"accept-encoding", b"gzip, deflate"), (b"authorization", b"Bearer 0123456789abcdef"),
    (b"content-type", b"application/json"), (b"content-length", b"10240"), (b"user-agent", b"bench/1.0"),
    (b"x-request-id", b"0193f0c2a4b0"), (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
)  # fmt: skip
BODY = json.dumps({f"field{i}": {"name": "a title of some length", "tags": ["a", "b"], "count": i} for i in range(135)}).encode()

_WORKER = """
import json, sys
from pathlib import Path
from benchmarks.classify import anonymous
from firewall.backends.catalogs import load_shipped
from firewall.classify import known
asked = json.load(sys.stdin)
before = anonymous()
index = load_shipped(Path(sys.argv[1]), bytes.fromhex(sys.argv[2]))
for host, method, segments, query, names in asked:
    index.look_up(host, method, tuple(segments), query, frozenset(name.encode() for name in names))
print(anonymous() - before)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, made from a shipped operation."""

    host: str
    method: str
    segments: tuple[str, ...]
    query: str
    header_names: frozenset[bytes]

    def of(self, index: BinaryIndex) -> object:
        return index.look_up(self.host, self.method, self.segments, self.query, self.header_names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure: `aim` in the same unit, None for none."""

    name: str
    value: float
    unit: str
    aim: float | None = None

    def __str__(self) -> str:
        aim = "" if self.aim is None else f" (aim: under {self.aim:g})"
        return f"- classify, {self.name}: {self.value:.3g} {self.unit}{aim}"


def asked_of(texts: dict[str, bytes], chance: random.Random, count: int) -> list[Asked]:
    """Requests for a sample of all operations, parameters filled in."""
    operations = [
        (section.hosts, section.base, operation)
        for name in sorted(texts)
        for section in parse_facts(texts[name].decode()).sections
        for operation in section.operations
    ]
    made = []
    for hosts, base, operation in chance.sample(operations, min(count, len(operations))):
        template = parse_template(joined(base, operation.template))
        segments = []
        for step in template.steps:
            values = [f"{chance.randrange(10**9)}" for _ in step.holes]
            segments.append("".join(piece + value for piece, value in zip(step.pieces, [*values, ""], strict=True)))
        query = "&".join(name if value is None else f"{name}={value}" for name, value in template.query)
        host = chance.choice(hosts).replace("**", "eu").replace("*", "eu")
        names = frozenset(name.encode() for name in operation.headers)
        made.append(Asked(host=host, method=operation.method, segments=tuple(segments), query=query, header_names=names))
    return made


def best(calls: Sequence[Callable[[], object]], rounds: int = ROUNDS) -> list[float]:
    """µs of each call, sorted."""
    found = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            began = time.perf_counter_ns()
            call()
            found[i] = min(found[i], (time.perf_counter_ns() - began) / 1000)
    return sorted(found)


def at(found: Sequence[float], share: float) -> float:
    return found[min(len(found) - 1, int(share * len(found)))]


class Naive:
    """Compiled regular expressions of one host, tried in the order of the document."""

    def __init__(self, texts: dict[str, bytes], host: str) -> None:
        self._list: list[tuple[str, re.Pattern[str], str]] = []
        for data in texts.values():
            for section in parse_facts(data.decode()).sections:
                for operation in section.operations if host in section.hosts else ():
                    path = joined(section.base, operation.template).partition("?")[0]
                    expression = re.sub(r"\\\{(\\\+)?[^}]*\\\}", lambda hole: "(.+)" if hole[1] else "([^/]+)", re.escape(path))
                    self._list.append((operation.method, re.compile(expression), operation.operation))

    def look_up(self, method: str, path: str) -> str | None:
        for verb, expression, name in self._list:
            if verb == method and expression.fullmatch(path):
                return name
        return None


def hostile(hosts: Sequence[str]) -> Iterator[Asked]:
    """Paths that somebody made to be slow, at hosts with many operations."""
    words = ("repos", "v1", "projects", "users", "a:b", "x", "")
    for host in hosts:
        for word in words[:-1]:
            for count in (10, 200, 1500, 3000):
                yield Asked(host=host, method="GET", segments=(word,) * count, query="", header_names=frozenset())
        mixed = tuple(words[i % 5] for i in range(2000))
        yield Asked(host=host, method="POST", segments=mixed, query="", header_names=frozenset())
        for front in (("repos", "o", "r", "contents"), ("v1", "projects", "p", "locations"), ("b", "k")):
            yield Asked(host=host, method="GET", segments=(*front, *("x",) * 3000), query="", header_names=frozenset())
        yield Asked(host=host, method="GET", segments=("b", "k"), query="&".join(["a"] * 999), header_names=frozenset())


def anonymous() -> float:
    """This process's own memory, MB."""
    found = re.search(r"^Anonymous:\s+(\d+) kB", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) / 1024 if found else float("nan")


def measure(folder: Path, *, quick: bool) -> list[Line]:
    texts, chance = shipped_texts(), random.Random(1)
    asked = asked_of(texts, chance, 1_000 if quick else 5_000)
    began = time.perf_counter()
    key = prepare(folder, texts)
    made = time.perf_counter() - began
    load = best([lambda: load_shipped(folder, key)], 20)[0] / 1000
    whole = best([lambda: prepare(folder, texts)], 5)[0] / 1000
    index = load_shipped(folder, key)
    look_ups = best([lambda each=each: each.of(index) for each in asked])  # type: ignore[misc]
    there = [each for each in asked if each.host == HOST and not each.query]
    naive = Naive(texts, HOST)
    ours = best([lambda each=each: each.of(index) for each in there])  # type: ignore[misc]
    theirs = best([lambda each=each: naive.look_up(each.method, "/" + "/".join(each.segments)) for each in there])  # type: ignore[misc]
    return [
        Line(name="one look-up with its parameters, median", value=at(look_ups, 0.5), unit="µs", aim=8),
        Line(name="one look-up with its parameters, p99", value=at(look_ups, 0.99), unit="µs", aim=30),
        Line(name=f"a look-up at {HOST}, median", value=at(ours, 0.5), unit="µs"),
        Line(name=f"the same by a list of {len(naive._list):,} regular expressions, median", value=at(theirs, 0.5), unit="µs"),
        Line(name="the regular expressions take so many times as long, median", value=at(theirs, 0.5) / at(ours, 0.5), unit="×"),
        *_whole(index, asked),
        Line(name="the worst look-up of hostile paths", value=_worst(folder, key, asked), unit="ms", aim=2),
        Line(name="loading, a worker", value=load, unit="ms", aim=5),
        Line(name="hashing all texts and checking the file, once a start", value=whole, unit="ms"),
        Line(name="making the file, once a machine", value=made, unit="s"),
        Line(name="a worker's own memory after all these look-ups", value=_private(folder, key, asked), unit="MB", aim=10),
    ]


def _whole(index: BinaryIndex, asked: Sequence[Asked]) -> Iterator[Line]:
    known = Known(shipped=index)
    plain = [_request(each, body=None) for each in asked if not each.host.endswith(".invalid")]
    reads = best([lambda each=each: (wants_body(each, known), classify(each, known)) for each in plain])  # type: ignore[misc]
    yield Line(name="a whole classification, REST, median", value=at(reads, 0.5), unit="µs", aim=20)
    yield Line(name="a whole classification, REST, p99", value=at(reads, 0.99), unit="µs")
    full = [_request(each, body=BODY) for each in asked if each.method in {"POST", "PUT"} and not each.host.endswith(".invalid")]
    bodies = best([lambda each=each: (wants_body(each, known), classify(each, known)) for each in full])  # type: ignore[misc]
    yield Line(name="a whole classification, 10 KB of JSON, median", value=at(bodies, 0.5), unit="µs", aim=200)
    yield Line(name="a whole classification, 10 KB of JSON, p99", value=at(bodies, 0.99), unit="µs")


def _request(asked: Asked, body: bytes | None) -> Request:
    path = "/" + "/".join(segment.replace("%", "%25").replace("'", "%27").replace(" ", "%20") for segment in asked.segments)
    target = path + ("?" + asked.query if asked.query else "")
    headers = (*HEADERS, *((name, b"1") for name in asked.header_names))
    return parse(method=asked.method, scheme="https", host=asked.host, port=443, target=target.encode(), headers=headers, body=body)


def _worst(folder: Path, key: bytes, asked: Sequence[Asked]) -> float:
    """ms. The first look-up at a host counts too: every path is the first that a new index sees."""
    hosts = [HOST, "storage.googleapis.com", "compute.googleapis.com", "s3.aws.invalid", "graph.microsoft.com", asked[0].host]
    worst = 0.0
    for each in hostile(hosts):
        found = float("inf")
        for _ in range(3):
            index = load_shipped(folder, key)
            began = time.perf_counter_ns()
            with contextlib.suppress(ValueError):  # TooMuchWork among them
                each.of(index)
            found = min(found, (time.perf_counter_ns() - began) / 1e6)
        worst = max(worst, found)
    return worst


def _private(folder: Path, key: bytes, asked: Sequence[Asked]) -> float:
    given = [(each.host, each.method, each.segments, each.query, [n.decode() for n in each.header_names]) for each in asked]
    command = [sys.executable, "-c", _WORKER, str(folder), key.hex()]
    return float(subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True).stdout)


def section(folder: Path, *, quick: bool) -> str:
    """The figures as a list of Markdown."""
    return "\n".join(map(str, measure(folder, quick=quick)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="aaf-bench-classify-") as name:
        print(section(Path(name), quick="--quick" in sys.argv))
