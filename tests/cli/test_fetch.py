"""Documents that the command line reads or fetches: bounded, over https, and nothing secret of the address is told on."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import fetch
from cli.fetch import document

PATHS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/good": (200, {}, "\ufeffopenapi: 3.0.0 # \u00fc".encode()),
    "/bad": (200, {}, b"a\n\xff"),
    "/long": (200, {}, b"x" * 100),
    "/none": (404, {}, b""),
    "/away": (302, {"Location": "http://example.com/x"}, b""),
    "/file": (302, {"Location": "file:///etc/passwd"}, b""),
    "/there": (302, {"Location": "/good"}, b""),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, headers, body = PATHS[self.path.partition("?")[0]]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def refused(place: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(typer.Exit) as ended:
        document(place)
    assert ended.value.exit_code == 1
    return capsys.readouterr().err


def test_a_file_is_read_and_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfopenapi")
    assert document(str(tmp_path / "a.yaml")) == ("openapi", "a.yaml")


def test_what_is_fetched_is_called_by_its_address_without_what_may_be_secret(site: str) -> None:
    text, source = document(f"{site}/there?token=secret")
    assert (text, source) == ("openapi: 3.0.0 # \u00fc", "http://127.0.0.1/there")


@pytest.mark.parametrize("place", ["http://example.com/x", "http://10.0.0.1/x"])
def test_only_https_leaves_this_machine(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "only https is fetched" in refused(place, capsys)


@pytest.mark.parametrize(("path", "why"), [("/away", "only https is fetched"), ("/file", "answered 302")])
def test_nobody_is_led_away_from_it(site: str, path: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert why in refused(site + path, capsys)


def test_failures_are_told_by_place_and_line(site: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "answered 404" in refused(f"{site}/none", capsys)
    assert "line 2: not text in UTF-8" in refused(f"{site}/bad", capsys)
    assert "cannot be read: No such file" in refused(str(tmp_path / "none"), capsys)
    assert "cannot be read: Is a directory" in refused(str(tmp_path), capsys)


def test_it_is_bounded_in_size(site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(fetch, "MAX_BYTES", 99)
    assert "has more than" in refused(f"{site}/long", capsys)


def test_it_is_bounded_in_time(site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(fetch, "SECONDS", -1)
    assert "took more than" in refused(f"{site}/good", capsys)
