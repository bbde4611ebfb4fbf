"""The score table of docs/catalogs.md: `python -m tools.catalog score [SERVICE…]`."""

import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from tests.catalogs import collection
from tests.catalogs.openapi_requests import Calls
from tests.catalogs.readings import DOCUMENTS
from tests.catalogs.sample import Sample, Score, scored
from tests.catalogs.sdk_samples import SDK_SAMPLES
from tests.catalogs.shipped import shipped
from tools.catalog.collection import COLLECTION
from tools.catalog.packages import fetched
from tools.catalog.sources import SOURCES

SHOWN = 20
"""Wrong ones that are printed of each service."""


def from_documents(service: str, folder: Path) -> Iterable[Sample]:
    calls = Calls(service)
    for files, reading in DOCUMENTS[service]:
        for path in sorted(folder.glob(files)):
            calls.read(path, reading)
    return calls.samples(every=1 if len(calls.found) < 5000 else 10)


SAMPLES: dict[str, Callable[[Path], Iterable[Sample]]] = {
    service: partial(from_documents, service) for service in DOCUMENTS
} | SDK_SAMPLES
"""Service → its samples, from the folder that its generator gets too."""


def score(services: Iterable[str]) -> int:
    """Prints the table; how many services are below 99.9 %, or name what is no operation."""
    known, imperfect = shipped(), 0
    print("| service | operations | right | % | identical on the wire | neighbours | right |")
    print("|---|---|---|---|---|---|---|")
    for service in services:
        begun = time.monotonic()
        result = scored(SAMPLES[service](SOURCES[service].folder()), known)
        print(_row(service, result), flush=True)
        print(f"    {time.monotonic() - begun:.0f} s", *result.wrong[:SHOWN], sep="\n    ", file=sys.stderr, flush=True)
        imperfect += 1000 * result.right < 999 * result.total or result.near_right < result.near
    return imperfect


def score_collection() -> None:
    """The arbitrary collection, through the users' path alone."""
    total, documents = Score(), 0
    for name, result, refused in collection.results(fetched(COLLECTION)):
        documents += 1
        total.right, total.total, total.twins = total.right + result.right, total.total + result.total, total.twins + result.twins
        if refused or result.wrong:
            print(f"    {name}: {refused or result.wrong[:SHOWN]}", file=sys.stderr)
    print(_row(f"{documents} documents of the collection", total))


def _row(service: str, of: Score) -> str:
    return f"| {service} | {of.total:,} | {of.right:,} | {of.percent} | {of.twins:,} | {of.near:,} | {of.near_right:,} |"
