"""Amazon S3's many hosts: buckets before the host's name or in the path, access points, acceleration, websites, Outposts, directory
buckets.

Sources: Amazon S3 User Guide, "Virtual hosting of general purpose buckets", "Website endpoints", "Accessing through VPC endpoints";
AWS General Reference, "Amazon S3 endpoints and quotas".
"""

import re
from dataclasses import dataclass

from firewall.classify.aws_hosts import REGION

_JOINED = re.compile(r"(s3(?:-fips|-website)?)-(?:external-\d|[a-z]{2,4}(?:-[a-z]+)+-\d{1,2})")
"""`s3-eu-west-1`, `s3-website-eu-west-1`: how hosts were written before 2019."""
_ZONE = re.compile(r"s3express-(?!control)[a-z0-9-]+")
_ENDPOINT_WORDS = frozenset({"bucket", "accesspoint"})
SCOPES = frozenset({"s3", "s3-outposts", "s3-object-lambda", "s3express"})
"""Names that signatures to S3 carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Host:
    """`bucket`: the bucket or access point that the host names. `places`: endpoint prefixes whose operations are there, the
    particular before the general. `website`: only objects are read."""

    bucket: str | None = None
    places: tuple[str, ...] = ("s3",)
    website: bool = False


def s3_host(labels: list[str]) -> S3Host | None:
    """`labels`: those before the partition's suffix. None where it is no host of S3."""
    rest, vpce = list(labels), labels[-1] == "vpce"
    if vpce:
        rest = [label for label in rest[:-1] if not label.startswith("vpce-")]
    if rest and REGION.fullmatch(rest[-1]):
        rest.pop()
    if rest and rest[-1] == "dualstack":
        rest.pop()
    if not rest:
        return None
    joined = _JOINED.fullmatch(rest[-1])
    name = (joined[1] if joined else rest[-1]).removesuffix("-fips")
    return _host(name, rest[:-1], vpce=vpce)


def _host(name: str, left: list[str], *, vpce: bool) -> S3Host | None:
    if name == "s3" and vpce and left:
        word = left.pop()
        if word == "control":
            return S3Host(places=("s3-control",))
        if word not in _ENDPOINT_WORDS:
            return None
    bucket = ".".join(left) or None
    if name == "s3":
        return S3Host(bucket=bucket)
    if name == "s3-control":
        return S3Host(places=("s3-control",))
    if name == "s3express-control":
        return S3Host(bucket=bucket, places=("s3-control", "s3express-control", "s3"))
    if name == "s3-object-lambda":
        return S3Host(bucket=bucket)
    if name == "s3-outposts" and bucket is None:
        return S3Host(places=("s3-control", "s3-outposts"))
    if bucket is None:
        return None
    if name == "s3-website":
        return S3Host(bucket=bucket, website=True)
    if name in {"s3-accelerate", "s3-accesspoint", "s3-outposts"} or _ZONE.fullmatch(name):
        return S3Host(bucket=bucket)
    if name == "s3-global" and left[-1] == "accesspoint" and len(left) > 1:
        return S3Host(bucket=".".join(left[:-1]))
    return None


def s3_segments(bucket: str | None, segments: tuple[str, ...]) -> tuple[str, ...]:
    """The path as if the bucket stood in it; a key's slashes, encoded or not, part it. The slash at the end of a key is part of
    the key, that behind a bucket's name says nothing: without it, they are the same operation."""
    if bucket is not None:
        segments = (bucket, *segments)
    if len(segments) > 1 and any("/" in segment for segment in segments[1:]):
        segments = (segments[0], *"/".join(segments[1:]).split("/"))
    return segments[:-1] if len(segments) > 1 and not segments[-1] else segments


def s3_key(bucket: str | None, segments: tuple[str, ...]) -> str:
    """The object's key, as it is; empty for a bucket or the account."""
    return "/".join(segments if bucket is not None else segments[1:])
