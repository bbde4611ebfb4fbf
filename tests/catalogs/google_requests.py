"""Every method of Google's APIs as google-api-python-client itself builds it (shares nothing with the generator).

The client is made from each discovery document that it carries; parameters are filled by their patterns, with slashes where no
pattern forbids them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.resources import files
from io import BytesIO
from typing import Any

from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import Resource, build_from_document, fix_method_name, key2param
from googleapiclient.http import MediaIoBaseUpload

from tests.catalogs.aws_requests import NotSent
from tests.catalogs.sample import Sample

sre: Any = import_module("re._constants")
_parser: Any = import_module("re._parser")


def documents() -> list[str]:
    folder = files("googleapiclient.discovery_cache") / "documents"
    return sorted(each.name for each in folder.iterdir() if each.name.endswith(".json") and each.name != "index.json")


def requests(names: list[str]) -> Iterator[Sample | NotSent]:
    """One for each method of these documents, and one more for each that takes media."""
    for name in names:
        text = (files("googleapiclient.discovery_cache") / "documents" / name).read_text()
        document = json.loads(text)
        anyone = AnonymousCredentials()  # type: ignore[no-untyped-call]
        service = build_from_document(document, credentials=anyone)
        for path, method in _methods(document, ()):
            for media in (False, True) if method.get("supportsMediaUpload") else (False,):
                try:
                    built = _built(service, path, method, media=media)
                except Exception as error:
                    yield NotSent(service=name, operation=method["id"], reason=f"{type(error).__name__}: {error}")
                else:
                    yield built


def _methods(node: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    for name, method in node.get("methods", {}).items():
        yield (*path, name), method
    for name, resource in node.get("resources", {}).items():
        yield from _methods(resource, (*path, name))


def _built(service: Resource, path: tuple[str, ...], method: Mapping[str, Any], *, media: bool) -> Sample:
    holder: Any = service
    for name in path[:-1]:
        holder = getattr(holder, _python(name))()
    values: dict[str, Any] = {}
    for name, parameter in method.get("parameters", {}).items():
        if parameter.get("required") or parameter.get("location") == "path":
            wide = f"{{+{name}}}" in method["path"]
            value = _value(parameter, wide=wide)
            values[_parameter(name)] = [value] if parameter.get("repeated") else value
    if "request" in method:
        values["body"] = {}
    if media:
        kind = next((each for each in method["mediaUpload"].get("accept", []) if "*" not in each), "image/png")
        values["media_body"] = MediaIoBaseUpload(BytesIO(b"x"), mimetype=kind, resumable=False)
    made = getattr(holder, _python(path[-1]))(**values)
    return Sample(
        method=made.method,
        url=made.uri,
        names=frozenset({f"google:{method['id']}"}),
        headers=tuple((str(key).encode(), str(value).encode()) for key, value in made.headers.items()),
    )


def _python(name: str) -> str:
    return str(fix_method_name(name)).replace(".", "_").replace("-", "_")


def _parameter(name: str) -> str:
    return str(key2param(name))


def _value(parameter: Mapping[str, Any], *, wide: bool) -> Any:
    if parameter.get("enum"):
        return next((each for each in parameter["enum"] if each), "")
    kind = parameter.get("type", "string")
    if kind == "boolean":
        return True
    if kind in {"integer", "number"}:
        return 1
    pattern = parameter.get("pattern")
    if pattern is None:
        return "one/two" if wide else "a/b c"
    made = re.sub(r"\[\^/\]\+", "x1", pattern.removeprefix("^").removesuffix("$")).replace(".*", "y1/z1/w1")
    return made if re.fullmatch(r"[A-Za-z0-9_/.-]+", made) else _sample(_parser.parse(pattern))


def _sample(parsed: Any) -> str:
    """The simplest text that a pattern allows."""
    text = ""
    for kind, value in parsed:
        if kind is sre.LITERAL:
            text += chr(value)
        elif kind is sre.ANY:
            text += "a"
        elif kind is sre.IN:
            text += _one_of(value)
        elif kind in {sre.MAX_REPEAT, sre.MIN_REPEAT}:
            least, most, inner = value
            text += _sample(inner) * min(max(least, 1), most)
        elif kind is sre.SUBPATTERN:
            text += _sample(value[-1])
        elif kind is sre.BRANCH:
            text += _sample(value[1][0])
        elif kind is not sre.AT:
            raise ValueError(f"a pattern with {kind}")
    return text


def _one_of(choices: Any) -> str:
    if choices[0][0] is sre.NEGATE:
        return "a"
    kind, value = choices[-1]
    if kind is sre.RANGE:
        return chr(value[0])
    if kind is sre.CATEGORY:
        return "1" if value is sre.CATEGORY_DIGIT else "a"
    return chr(value)
