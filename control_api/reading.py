"""A user's document → the facts of a catalog, in a process of its own: reading a hostile one may take all the time and memory that
there is, and the loop of the API must not wait for it.

`python -m control_api.reading` reads one JSON object from stdin and writes one to stdout. It is given no setting and no secret.
"""

import asyncio
import contextlib
import resource
import sys
from dataclasses import dataclass
from typing import Any

import orjson

from firewall.catalogs import FACTS_BYTES
from firewall.classify.catalog.facts import HEAD, BadFacts, Facts, parse_facts, print_facts
from firewall.classify.catalog.openapi import BadDocument, read_openapi
from firewall.classify.known import PSEUDO
from firewall.globs import host_suffix

SECONDS = 60
MEMORY_BYTES = 2 << 30
COMMAND = (sys.executable, "-I", "-m", "control_api.reading")


class Refused(Exception):
    """The document is refused. `problems`: where (a line, or a path in the document) and why; never empty."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{where}: {why}" for where, why in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`hosts`: in place of the document's own, unless empty. `date`: YYYY-MM-DD, of today."""

    service: str
    document: str
    hosts: tuple[str, ...]
    source: str
    date: str


async def read(asked: Asked, *, seconds: float | None = None) -> str:
    """The text of the facts. Raises Refused."""
    seconds = SECONDS if seconds is None else seconds
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*COMMAND, env={}, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(seconds):
            said, _ = await child.communicate(orjson.dumps(asked))
    except TimeoutError:
        raise Refused((("document", f"not read within {seconds:.0f} seconds"),)) from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    try:
        answer = orjson.loads(said)
    except orjson.JSONDecodeError:
        raise Refused((("document", f"reading it took more than {SECONDS} s or {MEMORY_BYTES >> 30} GiB"),)) from None
    if "facts" in answer:
        return str(answer["facts"])
    raise Refused(tuple((str(where), str(why)) for where, why in answer["problems"]))


def facts_of(asked: Asked) -> str:
    """Raises Refused."""
    try:
        text = print_facts(_facts(asked))
    except BadDocument as error:
        raise Refused(((error.where, error.reason),)) from None
    except BadFacts as error:
        raise Refused(tuple((f"line {line}", why) for line, why in error.problems)) from None
    if len(text.encode()) > FACTS_BYTES:
        raise Refused((("document", f"its facts have more than {FACTS_BYTES} bytes; add a part of it"),))
    return text


def _facts(asked: Asked) -> Facts:
    if not asked.document.startswith(HEAD + "\n"):
        return read_openapi(asked.document, service=asked.service, source=asked.source, date=asked.date, hosts=asked.hosts)
    facts = parse_facts(asked.document)
    if facts.service != asked.service:
        raise BadFacts(((2, f"the text is of {facts.service}, not of {asked.service}"),))
    if asked.hosts:
        raise BadFacts(((1, "facts say their hosts themselves: leave hosts out"),))
    for host in (host for section in facts.sections for host in section.hosts):
        # What stands at places that are no hosts is for our own classifiers to find.
        if host.endswith(PSEUDO) or not host_suffix(host):
            raise BadFacts(((1, f"{host} names no host"),))
    if not any(section.operations for section in facts.sections):
        raise BadFacts(((1, "no operation"),))
    return facts


def main() -> None:
    for limit, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(limit, (most, most))
    given: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    asked = Asked(**{**given, "hosts": tuple(given["hosts"])})
    try:
        answer: dict[str, Any] = {"facts": facts_of(asked)}
    except Refused as error:
        answer = {"problems": error.problems}
    sys.stdout.buffer.write(orjson.dumps(answer))


if __name__ == "__main__":
    main()
