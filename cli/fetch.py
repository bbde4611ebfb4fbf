"""Documents for the control API, which fetches nothing itself: from a file, or over https by whoever types the command."""

import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO

from cli.output import fail

MAX_BYTES = 16 << 20
SILENT_SECONDS = 30.0
SECONDS = 120.0
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def document(place: str) -> tuple[str, str]:
    """The text at a path or URL, and how to call where it came from. Fails with the reason."""
    address = urllib.parse.urlsplit(place)
    if address.scheme in {"http", "https"}:
        _permit(place)
        # Neither a password nor a token of the query belongs in a catalog that everybody reads.
        return _text(_fetched(place), place), f"{address.scheme}://{address.hostname}{address.path}"[:200]
    try:
        with Path(place).open("rb") as file:
            return _text(_bounded(file, place), place), Path(place).name[:200]
    except OSError as error:
        fail(f"{place} cannot be read: {error.strerror}")


def _permit(url: str) -> None:
    address = urllib.parse.urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
        fail(f"{url}: only https is fetched, and http from this machine")


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        with fp:
            _permit(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetched(url: str) -> bytes:
    try:
        with urllib.request.build_opener(_Redirects).open(url, timeout=SILENT_SECONDS) as answer:
            return _bounded(answer, url)
    except urllib.error.HTTPError as error:
        error.close()
        fail(f"{url} answered {error.code}")
    except (urllib.error.URLError, HTTPException, OSError, ValueError) as error:
        fail(f"{url} cannot be fetched: {getattr(error, 'reason', error)}")


def _bounded(stream: IO[bytes], place: str) -> bytes:
    end, data = time.monotonic() + SECONDS, bytearray()
    while chunk := stream.read(1 << 16):
        data += chunk
        if len(data) > MAX_BYTES:
            fail(f"{place} has more than {MAX_BYTES >> 20} MiB")
        if time.monotonic() > end:
            fail(f"{place} took more than {SECONDS:.0f} seconds")
    return bytes(data)


def _text(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fail(f"{place}: line {data.count(b'\n', 0, error.start) + 1}: not text in UTF-8")
