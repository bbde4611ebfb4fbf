"""Every method of Slack, as slack-sdk asks for it, and those that only the SDK for Node has, by GET and by POST."""

import inspect
import re
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from slack_sdk import WebClient

from tests.catalogs.sample import Sample

_QUOTED = re.compile(r"this, '([a-z][A-Za-z.]+\.[A-Za-z]+)'\)")


def requests() -> Iterator[Sample]:
    """What the Python SDK sends."""
    asked: list[tuple[str, str]] = []

    def catch(_: WebClient, api_method: str, *, http_verb: str = "POST", **__: Any) -> dict[str, Any]:
        asked.append((api_method, http_verb))
        return {"ok": True, "files": [], "channel": {"id": "C1"}}

    with patch.object(WebClient, "api_call", catch):
        client = WebClient()
        for name, method in inspect.getmembers(client, inspect.ismethod):
            if name.startswith("_") or name in {"api_call", "files_upload_v2"}:
                continue
            needed = {
                each.name: "x1"
                for each in inspect.signature(method).parameters.values()
                if each.default is each.empty and each.kind in {each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD}
            }
            # Conveniences want other answers than these.
            with suppress(Exception), warnings.catch_warnings(action="ignore"):
                method(**needed)
    for name, verb in sorted(set(asked)):
        yield _sample(verb, name)


def of_node(package: Path) -> Iterator[Sample]:
    """Methods that the SDK for Node names; it sends POST, other clients GET."""
    for name in sorted(set(_QUOTED.findall((package / "dist/methods.js").read_text()))):
        yield _sample("POST", name)
        yield _sample("GET", name)


def _sample(verb: str, name: str) -> Sample:
    return Sample(method=verb, url=f"https://slack.com/api/{name}", names=frozenset({f"slack:{name}"}))
