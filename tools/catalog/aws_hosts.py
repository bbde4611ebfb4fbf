"""botocore's endpoint rules → firewall/classify/aws_endpoints.py: which host is which service, with which scope."""

import gzip
import json
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from firewall.classify.aws_hosts import SUFFIXES, normal_stem
from tools.catalog.aws import Model, models

_REGION = re.compile(r"\{[^{}]*[rR]egion[^{}]*\}|[a-z]{2,4}(?:-[a-z]+)+-\d")
_HEAD = '''"""Made by `python -m tools.catalog.aws_modules` from botocore {version}: which host is which AWS service.

A line: the labels of a host that name the service (`firewall.classify.aws_hosts.normal_stem`; `*.` where labels may stand before
them), then, where they differ from those, `>` botocore's endpoint prefix and `@` the name in the signature's scope.
"""

ENDPOINTS = """
{lines}
"""
'''

MORE = {
    "queue": "sqs@sqs",  # the names of before 2013, which URLs of queues still have
    "*.iot": "data-ats.iot@iotdata",  # each account's own
    "*.kinesisvideo": "kinesisvideo@kinesisvideo",
    "*.data.mediastore": "data.mediastore@mediastore",
    "*.execute-api": "execute-api@execute-api",
    "realtime.machinelearning": "machinelearning@machinelearning",
    "*.cloudsearch": "cloudsearchdomain@cloudsearch",
}
"""Hosts that services hand out themselves, which no rule of botocore names."""


def endpoints(botocore: Path, version: str) -> str:
    """The module's text."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for model in models(botocore):
        if model.prefix in {"s3", "s3-control"}:  # firewall.classify.aws_s3 knows them
            continue
        for stem, scope in _stems(model):
            found[stem].add((model.prefix, scope))
    for stem, value in MORE.items():
        prefix, _, scope = value.partition("@")
        found[stem].add((prefix, scope))
    words = [_word(stem, prefix, scope) for stem, pairs in sorted(found.items()) for prefix, scope in sorted(pairs)]
    return _HEAD.format(version=version, lines=textwrap.fill(" ".join(words), 130, break_long_words=False, break_on_hyphens=False))


def _word(stem: str, prefix: str, scope: str) -> str:
    plain = stem.removeprefix("*.")
    return stem + (f">{prefix}" if prefix != plain else "") + (f"@{scope}" if scope != prefix else "")


def _stems(model: Model) -> Iterator[tuple[str, str]]:
    prefixes = {operation.get("endpoint", {}).get("hostPrefix", "") for operation in model.operations.values()} | {""}
    rules = model.folder / "endpoint-rule-set-1.json.gz"
    for url, scope in _urls(json.loads(gzip.decompress(rules.read_bytes()))):
        host = _host(url)
        if host is not None:
            for before in prefixes:
                for way in ("data", "control") if "{OperationType}" in host else ("",):
                    yield _stem(before + host.replace("{OperationType}", way)), scope or model.scope


def _urls(node: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(node, dict):
        endpoint = node.get("endpoint")
        if isinstance(endpoint, dict) and isinstance(endpoint.get("url"), str):
            schemes = endpoint.get("properties", {}).get("authSchemes") or [{}]
            yield endpoint["url"], schemes[0].get("signingName")
        for value in node.values():
            yield from _urls(value)
    elif isinstance(node, list):
        for value in node:
            yield from _urls(value)


def _host(url: str) -> str | None:
    """Without the partition's suffix; None where it has none (an address that the user gives, or one of the sign-in pages)."""
    host = url.removeprefix("https://").partition("/")[0]
    dynamic = re.fullmatch(r"(.+)\.\{[^{}]*#(?:dnsSuffix|dualStackDnsSuffix)\}", host)
    if dynamic:
        return dynamic[1]
    return next((host.removesuffix("." + suffix) for suffix in SUFFIXES if host.endswith("." + suffix)), None)


def _stem(host: str) -> str:
    """`{AccountId}.ddb.{Region}` → `*.ddb`."""
    labels = [label for label in host.split(".") if not _REGION.fullmatch(label)]
    named = [label for label in labels if not label.startswith("{") or "}-" in label]
    plain = [re.sub(r"\{[^{}]*\}", "", label).strip("-") for label in named]
    stem = normal_stem([label for label in plain if label])
    return "*." + stem if len(named) < len(labels) else stem
