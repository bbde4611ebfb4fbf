"""What real clients talk to: git over smart HTTP, a Python package index, an npm registry. Each is a `Site` of `Upstream`."""

import asyncio
import base64
import hashlib
import io
import json
import os
import tarfile
import zipfile
from pathlib import Path

from aiohttp import web

from tests.e2e.upstream import Seen, Site

PACKAGE = "aaf-e2e-package"
MODULE = "aaf_e2e_package"


def git_site(root: Path) -> Site:
    """`git http-backend` as a CGI program, for the repositories in `root`."""

    async def serve(request: web.Request, seen: Seen) -> web.StreamResponse:
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "REQUEST_METHOD": request.method,
                "PATH_INFO": request.path,
                "QUERY_STRING": request.query_string,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(seen.body)),
                "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "REMOTE_USER": "tests",
            },
        )
        output, _ = await process.communicate(seen.body)
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=body)

    return serve


def index_site() -> Site:
    """The simple repository API (PEP 503) with one wheel."""
    wheel, name = _wheel(), f"{MODULE}-1.0-py3-none-any.whl"
    page = f'<!DOCTYPE html><a href="/files/{name}#sha256={hashlib.sha256(wheel).hexdigest()}">{name}</a>'

    async def serve(request: web.Request, _: Seen) -> web.StreamResponse:
        if request.path == f"/simple/{PACKAGE}/":
            return web.Response(text=page, content_type="text/html")
        if request.path == f"/files/{name}":
            return web.Response(body=wheel, content_type="application/octet-stream")
        return web.Response(status=404)

    return serve


def npm_site(host: str) -> Site:
    """A registry with one package."""
    tarball = _tarball()
    file = f"/{PACKAGE}/-/{PACKAGE}-1.0.0.tgz"
    distribution = {
        "tarball": f"https://{host}{file}",
        "shasum": hashlib.sha1(tarball).hexdigest(),
        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode(),
    }
    version = {"name": PACKAGE, "version": "1.0.0", "dist": distribution}
    document = {"name": PACKAGE, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}

    async def serve(request: web.Request, _: Seen) -> web.StreamResponse:
        if request.path == f"/{PACKAGE}":
            return web.json_response(document)
        if request.path == file:
            return web.Response(body=tarball, content_type="application/octet-stream")
        return web.Response(status=404)

    return serve


def _wheel() -> bytes:
    info = f"{MODULE}-1.0.dist-info"
    files = {
        f"{MODULE}.py": "ANSWER = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(name, text)
    return made.getvalue()


def _tarball() -> bytes:
    files = {
        "package/package.json": json.dumps({"name": PACKAGE, "version": "1.0.0"}),
        "package/index.js": "module.exports = 42;\n",
    }
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()
