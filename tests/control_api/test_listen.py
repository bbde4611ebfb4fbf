"""Bytes that are no request: answered in the one shape, and repeated nowhere."""

from typing import Any

import orjson
import pytest

from tests.control_api.test_app import raw

pytestmark = pytest.mark.asyncio
HOST = "Host: localhost\r\n"
KEY = "hunter2hunter2hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"BREW /v1/keys HTTP/1.1\r\n{HOST}Authorization: Bearer {KEY}\r\n\r\n",
        f"GET /v1/keys HTTP/1.1\r\n{HOST}Authorization: Bearer {KEY}\x01\r\n\r\n",
        f"GET /v1/keys HTTP/1.1\r\n{HOST}Content-Length: {KEY}\r\n\r\n",
        f"GET /v1/keys HTTP/1.1\r\n{HOST}Authorization : Bearer {KEY}\r\n\r\n",
        f"GET /v1/keys HTTP/1.1\r\n{HOST}X: {KEY * 1000}\r\n\r\n",
        f"GET /{KEY * 1000} HTTP/1.1\r\n{HOST}\r\n",
        f"POST /v1/keys HTTP/1.1\r\n{HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\nX: {KEY}\r\n\r\n",
        f"{KEY}\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_a_problem_that_repeats_nothing_of_it(api: Any, text: str, capfd: Any, caplog: Any) -> None:
    answer = await raw(int(api.url.rsplit(":", 1)[1]), text)
    head, _, body = answer.partition(b"\r\n\r\n")
    problem = orjson.loads(body)
    assert head.split()[1] == b"400"
    assert (problem["status"], problem["type"], problem["detail"]) == (
        400,
        "urn:aaf:problem:bad-request",
        "not a request of HTTP/1.1",
    )
    assert b"Content-Type: application/problem+json" in head
    said = "".join(capfd.readouterr()) + caplog.text
    assert "api.no-request" in said
    assert "hunter2" not in said + answer.decode()


async def test_no_answer_says_what_serves_it(api: Any) -> None:
    port = int(api.url.rsplit(":", 1)[1])
    for text in (f"BREW / HTTP/1.1\r\n{HOST}\r\n", f"GET /health/live HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n"):
        answer = (await raw(port, text)).lower()
        assert b"server: aaf\r\n" in answer
        assert b"aiohttp" not in answer
        assert b"python" not in answer
