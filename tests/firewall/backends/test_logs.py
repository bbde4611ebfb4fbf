"""In a process of its own, as the processes set it up: `configure_logs` is for a whole process."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from firewall.backends.logs import hide_secrets

ROOT = Path(__file__).parents[3]
SECRET = "hunter2hunter2hunter2"
BEGIN = f"""
import logging, structlog
from firewall.backends.logs import configure_logs
configure_logs()
log, secret = structlog.get_logger(), {SECRET!r}
"""


def written(code: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", BEGIN + code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == ""
    assert SECRET not in done.stderr
    return [json.loads(line) for line in done.stderr.splitlines()]


def shown(code: str) -> str:
    """What a person sees on a terminal."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", BEGIN + code], check=True, stderr=theirs, cwd=ROOT)
    finally:
        os.close(theirs)
    text = b""
    try:
        while data := os.read(ours, 65536):
            text += data
    except OSError:  # the other end of a terminal is closed
        pass
    os.close(ours)
    return text.decode()


def test_a_line_is_one_json_object_with_its_time_and_level() -> None:
    (line,) = written("log.info('worker.ready', workers=2)")
    assert (line["event"], line["level"], line["workers"]) == ("worker.ready", "info", 2)
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "name",
    ["token", "Token", "admin_key", "api_keys", "ENCRYPTION_MASTER_KEY", "bundle_token", "proxy_authorization", "password",
     "app_dsn", "credential", "set-cookie", "webhook_secrets"],
)  # fmt: skip
def test_what_is_a_secret_by_its_name_is_hidden(name: str) -> None:
    assert hide_secrets(None, "info", {"event": "x", name: SECRET}) == {"event": "x", name: "hidden"}


@pytest.mark.parametrize("name", ["event", "reason", "monkey", "tokenless", "address"])
def test_what_only_looks_like_one_is_shown(name: str) -> None:
    assert hide_secrets(None, "info", {name: "x.y"}) == {name: "x.y"}


def test_a_secret_within_a_value_is_hidden_too() -> None:
    event = {"headers": {"Proxy-Authorization": SECRET, "Host": "a.test"}, "pairs": [("x", {"token": SECRET}), 7], "n": 7}
    shown = hide_secrets(None, "info", dict(event))
    assert shown == {
        "headers": {"Proxy-Authorization": "hidden", "Host": "a.test"},
        "pairs": [["x", {"token": "hidden"}], 7],
        "n": 7,
    }


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("postgresql://aaf:hunter2@db:5432/x failed", "postgresql://aaf:hidden@db:5432/x failed"),
        ("http://demo:hun@ter:2@127.0.0.1:8080", "http://demo:hidden@127.0.0.1:8080"),
        ("Authorization: Bearer aaaaaaaaaaaaaaaaaaaaaaaa", "Authorization: Bearer hidden"),
        ("b'Basic ZGVtbzpodW50ZXIyaHVudGVyMg=='", "b'Basic hidden'"),
        ("http://127.0.0.1:8080/ is not Basic auth", "http://127.0.0.1:8080/ is not Basic auth"),
    ],
)
def test_the_password_of_a_url_and_a_credential_are_hidden_in_texts(text: str, clean: str) -> None:
    assert hide_secrets(None, "info", {"reason": text}) == {"reason": clean}


RAISES = """
def step(token):
    raise RuntimeError("cannot reach postgresql://aaf:" + token + "@db/x")
try:
    step(secret)
except RuntimeError:
    log.exception('step.failed', token=secret)
    logging.getLogger('library').exception('it failed')
"""


def test_an_exception_is_shown_without_the_variables_that_it_passed() -> None:
    for line, event in zip(written(RAISES), ("step.failed", "it failed"), strict=True):
        assert line["event"] == event
        assert "RuntimeError: cannot reach postgresql://aaf:hidden@db/x" in line["exception"]
        assert 'raise RuntimeError("cannot reach' in line["exception"] or "in step" in line["exception"]


def test_a_person_is_shown_no_more_than_a_machine() -> None:
    text = shown(RAISES + "log.info('ready', admin_key=secret)")
    assert SECRET not in text
    assert "step.failed" in text
    assert "postgresql://aaf:hidden@db/x" in text
    assert "{" not in text


def test_libraries_are_heard_from_warnings_on() -> None:
    lines = written(
        "logging.getLogger('a').info('no'); logging.getLogger('b').warning('to http://u:%s@h', secret); log.debug('no')"
    )
    assert [(line["event"], line["level"]) for line in lines] == [("to http://u:hidden@h", "warning")]


def test_what_asyncio_says_of_a_task_that_nobody_awaited_holds_no_secret() -> None:
    code = """
import asyncio, gc
async def work(token):
    raise ValueError(f'http://u:{token}@h')
async def main():
    asyncio.get_running_loop().create_task(work(secret))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
asyncio.run(main())
"""
    (line,) = written(code)
    assert "never retrieved" in line["event"]
    assert "http://u:hidden@h" in line["exception"]
