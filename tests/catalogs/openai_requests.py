"""Every method of the OpenAI SDK, as it sends it: its client is walked, and what it would send is caught."""

import inspect
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any, get_overloads

import openai
from openai._resource import SyncAPIResource

from tests.catalogs.sample import Sample

_SENDS = re.compile(r"self\._(?:get|post|put|patch|delete|get_api_list)\(")


class _Caught(Exception):
    def __init__(self, request: Any) -> None:
        self.request = request


class _Client(openai.OpenAI):
    def request(self, cast_to: Any, options: Any, **_: Any) -> Any:
        raise _Caught(self._build_request(options, retries_taken=0))

    def _request_api_list(self, model: Any, page: Any, options: Any) -> Any:
        return self.request(page, options)


def requests() -> Iterator[Sample]:
    client = _Client(api_key="example", admin_api_key="example")
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, method in _methods(client, ()):
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            request = _sent(method)
        if request is not None:
            found[request.method, str(request.url)].add(name)
    for (verb, url), names in sorted(found.items()):
        yield Sample(method=verb, url=url, names=frozenset(f"openai:{name}" for name in names))


def _methods(holder: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name in dir(type(holder)):
        value = inspect.getattr_static(type(holder), name)
        if name.startswith(("_", "with_")):
            continue
        if isinstance(value, cached_property):
            inner = getattr(holder, name)
            if isinstance(inner, SyncAPIResource):
                yield from _methods(inner, (*path, name))
        elif path and inspect.isfunction(value) and _SENDS.search(inspect.getsource(value)):
            yield ".".join((*path, name)), getattr(holder, name)


def _sent(method: Any) -> Any:
    overloads = get_overloads(inspect.unwrap(method.__func__))
    needed = [
        each
        for each in inspect.signature(overloads[0] if overloads else method).parameters.values()
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
    ]
    for text in ("x1", b"x1"):  # what is no text is a file
        try:
            method(**{each.name: _value(each, text) for each in needed if each.name != "self"})
        except _Caught as caught:
            return caught.request
        except (RuntimeError, TypeError):
            if text == b"x1":
                raise
    return None


def _value(parameter: inspect.Parameter, text: str | bytes) -> Any:
    said = str(parameter.annotation)
    if "FileTypes" in said:
        return ("a.txt", b"x")
    if said.startswith(("Iterable", "List", "Sequence", "SequenceNotStr", "Union[List")):
        return []
    return "x1" if parameter.name.endswith("_id") else text
