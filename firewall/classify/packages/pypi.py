"""Python packages: the simple repository API (PEP 503, 691), files (PEP 427, 625), the upload API (PEP 694's legacy)."""

import re
from typing import Final

from firewall.action import Kind
from firewall.classify.meaning import Meaning
from firewall.classify.packages.asked import Asked

_WHEEL: Final = re.compile(r"([A-Za-z0-9][\w.]*)-([\w.!+]+)(?:-[0-9][\w.]*)?-[\w.]+-[\w.]+-[\w.]+\.whl(?:\.metadata|\.asc)?")
_SOURCE: Final = re.compile(r"([A-Za-z0-9][\w.-]*)-([0-9][\w.!+]*)\.(?:tar\.gz|zip)(?:\.metadata|\.asc)?")
_CLIENTS: Final = ("pip/", "uv/", "poetry/", "pdm/", "twine/", "flit", "hatch", "setuptools/")
_UPLOAD: Final = re.compile(rb'name="?:action"?\r\n(?:[^\r\n]{1,200}\r\n){0,5}\r\nfile_upload\r\n')
_FIELD: Final = rb'name="?%s"?\r\n(?:[^\r\n]{1,200}\r\n){0,5}\r\n([\w.!+-]{1,200})\r\n'


def wants_body(asked: Asked) -> bool:
    if asked.method != "POST" or asked.subject.media_type != "multipart/form-data":
        return False
    return asked.named or asked.last == "legacy" or asked.says(b"user-agent", *_CLIENTS)


def read(asked: Asked) -> Meaning | None:
    if asked.method == "POST":
        return _upload(asked) if wants_body(asked) else None
    if not asked.reads:
        return None
    if "simple" in asked.path[-2:] and (asked.named or asked.says(b"accept", "application/vnd.pypi.simple")):
        project = "" if asked.last == "simple" else normal(asked.last)
        return asked.means("simple", package=project)
    if asked.named and len(asked.path) >= 3 and asked.last == "json" and asked.path[0] == "pypi":
        return asked.means("json", package=normal(asked.path[1]), version=asked.path[2] if len(asked.path) == 4 else "")
    found = _WHEEL.fullmatch(asked.last)
    if found is None and (asked.named or asked.says(b"user-agent", *_CLIENTS)):
        found = _SOURCE.fullmatch(asked.last)
    return None if found is None else asked.means("download", package=normal(found[1]), version=found[2])


def _upload(asked: Asked) -> Meaning | None:
    """Its fields come before its file, so the beginning of a large one is enough."""
    body = asked.subject.request.body or b""
    form = dict(asked.subject.content.form or ())
    if form:
        if form.get(":action") != "file_upload":
            return None
        return asked.means("upload", Kind.WRITE, package=normal(form.get("name", "")), version=form.get("version", ""))
    if not asked.named and not _UPLOAD.search(body):
        return None
    return asked.means("upload", Kind.WRITE, package=normal(_value(body, b"name")), version=_value(body, b"version"))


def _value(body: bytes, name: bytes) -> str:
    found = re.search(_FIELD % name, body)
    return "" if found is None else found[1].decode("ascii", "replace")


def normal(name: str) -> str:
    """PEP 503: `Foo_Bar` and `foo-bar` are one project."""
    return re.sub(r"[-_.]+", "-", name).lower()
