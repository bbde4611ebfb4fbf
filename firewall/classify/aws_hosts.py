"""Which service of AWS a host is: only names that AWS itself answers for, never one behind which a customer's machine may stand
(`ec2-….compute.amazonaws.com`, `….elb.amazonaws.com`, `….rds.amazonaws.com`).

Source: botocore's endpoint rules (`aws_endpoints`), and for S3 the Amazon S3 User Guide (see `aws_s3`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from firewall.classify.aws_endpoints import ENDPOINTS

SUFFIXES = (
    "amazonaws.com.cn",
    "amazonaws.com",
    "amazonaws.eu",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws.hci.ic.gov",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "api.aws",
    "api.cloud-aws.adc-e.uk",
    "c2s.ic.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
    "sc2s.sgov.gov",
    "on.aws",
)
"""Of AWS's partitions; the longer before what it ends in."""

_DOTTED = tuple("." + suffix for suffix in SUFFIXES)

REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}")
_PARTITIONS = frozenset({"global", "us-gov", "cn", "dualstack"})
"""Labels that say which copy of a service is meant, not which service."""
_CELL = re.compile(r"-cell\d+\Z")
"""`query-cell1.timestream`: hosts that a service tells its clients."""
_SIGN_IN = re.compile(
    r"(?:[a-z0-9-]+\.)?(?:oauth\.signin\.aws|signin(?:-fips)?\.(?:aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com"
    r"|amazonaws-eusc\.eu|sc2shome\.sgov\.gov|csphome\.hci\.ic\.gov|csphome\.adc-e\.uk|c2shome\.ic\.gov))"
)
_VPCE = re.compile(r"vpce-[0-9a-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`prefixes`: the services (botocore's endpoint prefixes) that answer there. `scopes`: the names that their signatures carry.
    `left`: the labels before those that name the service: a bucket, an account."""

    prefixes: tuple[str, ...]
    scopes: frozenset[str]
    left: tuple[str, ...] = ()


def is_aws(host: str) -> bool:
    """Whether it may be one of AWS's own. Cheap: every request is asked."""
    return host.endswith(_DOTTED) or "signin" in host


def labels_of(host: str) -> list[str] | None:
    """The labels before the suffix of one of AWS's partitions; None at any other host."""
    for suffix in SUFFIXES:
        if host.endswith(suffix) and host[: -len(suffix)].endswith("."):
            return host[: -len(suffix) - 1].split(".")
    return ["signin"] if "signin" in host and _SIGN_IN.fullmatch(host) else None


def normal_stem(labels: Iterable[str]) -> str:
    """Without what says FIPS or which partition."""
    kept = [
        _CELL.sub("", label).removesuffix("-fips").replace("-fips-", "-")
        for label in labels
        if label not in _PARTITIONS and label != "fips"
    ]
    return ".".join(kept)


def endpoint_of(labels: list[str]) -> Endpoint | None:
    """Every service but S3. None where no service is known to answer."""
    if labels[-1] == "vpce":  # `vpce-ID.SERVICE.REGION.vpce`
        labels = [label for label in labels[:-1] if not _VPCE.fullmatch(label)]
    if not labels:
        return None
    placed = labels[:-1] if REGION.fullmatch(labels[-1]) else labels
    found = _named(placed)
    if found is None and REGION.fullmatch(placed[0] if placed else ""):  # `us-east-1.queue`
        found = _named(placed[1:])
    return found


def _named(labels: list[str]) -> Endpoint | None:
    for cut in range(len(labels)):
        stem = normal_stem(labels[cut:])
        found = table().get(stem if cut == 0 else "*." + stem)
        if found is not None:
            prefixes, scopes = found
            return Endpoint(prefixes=prefixes, scopes=scopes, left=tuple(labels[:cut]))
    return None


@cache
def table() -> dict[str, tuple[tuple[str, ...], frozenset[str]]]:
    """Stem → endpoint prefixes and scopes."""
    found: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {}
    for word in ENDPOINTS.split():
        stem, prefix, scope = _parts(word)
        prefixes, scopes = found.get(stem, ((), frozenset()))
        found[stem] = (tuple(sorted({*prefixes, prefix})), scopes | {scope.lower()})
    return found


@cache
def prefixes_of() -> dict[str, tuple[str, ...]]:
    """Scope (lower case) → the endpoint prefixes of the services that sign with it."""
    found: dict[str, set[str]] = {}
    for word in ENDPOINTS.split():
        _, prefix, scope = _parts(word)
        found.setdefault(scope.lower(), set()).add(prefix)
    return {scope: tuple(sorted(prefixes)) for scope, prefixes in found.items()}


def _parts(word: str) -> tuple[str, str, str]:
    rest, at, scope = word.partition("@")
    stem, mark, prefix = rest.partition(">")
    prefix = prefix if mark else stem.removeprefix("*.")
    return stem, prefix, scope if at else prefix
