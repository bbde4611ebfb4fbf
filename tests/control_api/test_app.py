"""The gates in front of every route, and the one shape of every error."""

import asyncio
import io
import socket
from typing import Any

import orjson
import pytest

from control_api.app import hostname, is_web_origin

pytestmark = pytest.mark.asyncio


def is_problem(reply: Any, status: int) -> None:
    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= set(reply.body)
    assert (reply.body["status"], reply.body["type"][:16]) == (status, "urn:aaf:problem:")


async def test_every_kind_of_error_has_the_one_shape(api: Any) -> None:
    is_problem(await api.call("GET", "/nowhere"), 404)
    is_problem(await api.call("PUT", "/v1/agents", {}), 405)
    is_problem(await api.call("GET", "/v1/agents", who="nobody"), 401)
    is_problem(await api.call("GET", "/v1/agents", who="bundle"), 403)
    is_problem(await api.call("GET", "/v1/agents?limit=0"), 422)
    is_problem(await api.call("GET", "/v1/agents?cursor=!"), 422)
    is_problem(await api.call("GET", "/v1/agents?nonsense=1"), 422)
    is_problem(await api.call("GET", "/v1/agents?limit=1&limit=2"), 400)
    is_problem(await api.call("GET", "/v1/ca.pem"), 503)


async def test_a_wrong_method_says_which_are_right(api: Any) -> None:
    reply = await api.call("PUT", "/v1/agents", {})
    assert reply.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 422),
        (b'{"name": "\xff"}', "application/json", 400),
        (b'{"name": "a\\u0000b"}', "application/json", 400),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", 400),
        (b'{"name":' + b"[" * 40 + b"]" * 40 + b"}", "application/json", 400),
        (b'{"name": "x"}', "text/plain", 415),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b'{"name": "x"}', "application/json; charset=utf-16", 415),
        (b"{}", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"name": "x", "admin": true}', "application/json", 422),
        (b'{"name": "a b"}', "application/json", 422),
        (b'{"name": "' + b"x" * (1 << 20) + b'"}', "application/json", 413),
    ],
)
async def test_a_bad_body_is_refused(api: Any, body: bytes, content_type: str, status: int) -> None:
    reply = await api.call("POST", "/v1/agents", headers={"Content-Type": content_type}, data=io.BytesIO(body))
    is_problem(reply, status)


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/json"}, {"Content-Type": "application/octet-stream"}])
async def test_no_body_at_all_reads_as_an_empty_object(api: Any, headers: dict[str, str]) -> None:
    reply = await api.call("POST", "/v1/audit/verify", headers=headers)
    assert (reply.status, reply.body["ok"]) == (200, True)


async def test_a_body_without_a_length_is_bounded_too(api: Any) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b" " * (1 << 16)

    reply = await api.call("POST", "/v1/agents", headers={"Content-Type": "application/json"}, data=endless())
    is_problem(reply, 413)


async def test_each_wrong_field_is_named(api: Any) -> None:
    reply = await api.call("POST", "/v1/keys", {"role": "root", "name": ""})
    assert {problem["path"] for problem in reply.body["errors"]} == {"/role", "/name"}


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3001", "", "localhost.evil.example", "127.0.0.1@evil.example"])
async def test_another_host_is_misdirected(api: Any, host: str) -> None:
    port = int(api.url.rsplit(":", 1)[1])
    reply = await raw(port, f"GET /health/live HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    assert reply.split()[1] in {b"421", b"400"}
    assert b'"ok"' not in reply


async def test_hosts_that_are_ours_are_served(api: Any) -> None:
    for host in ("localhost", "127.0.0.1:3001", "[::1]:3001", "LOCALHOST", socket.gethostname()):
        assert (await api.call("GET", "/health/live", headers={"Host": host})).status == 200


async def test_the_dashboard_s_origin_alone_may_call_from_a_browser(api: Any) -> None:
    ours, other = "http://127.0.0.1:3000", "http://evil.example"
    preflight = {"Access-Control-Request-Method": "GET"}
    allowed = await api.call("OPTIONS", "/v1/agents", who="nobody", headers={"Origin": ours, **preflight})
    assert (allowed.status, allowed.headers["Access-Control-Allow-Origin"]) == (204, ours)
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    refused = await api.call("OPTIONS", "/v1/agents", who="nobody", headers={"Origin": other, **preflight})
    assert refused.status == 405
    for path in ("/v1/agents", "/nowhere"):
        assert (await api.call("GET", path, headers={"Origin": ours})).headers["Access-Control-Allow-Origin"] == ours
        assert "Access-Control-Allow-Origin" not in (await api.call("GET", path, headers={"Origin": other})).headers


async def test_a_failure_of_ours_tells_nothing_of_its_cause(api: Any, monkeypatch: Any) -> None:
    async def explode(**_: Any) -> None:
        raise RuntimeError("the secret is hunter2")

    monkeypatch.setattr(api.context.reads, "agents", explode)
    reply = await api.call("GET", "/v1/agents")
    is_problem(reply, 500)
    assert b"hunter2" not in orjson.dumps(reply.body)


async def test_metrics_carry_no_agent_host_or_path(api: Any) -> None:
    await api.call("GET", "/v1/actions/act_" + "1" * 32)
    text = (await api.call("GET", "/metrics", who="nobody")).body.decode()
    assert 'route="/v1/actions/{id}"' in text
    assert "1" * 32 not in text
    assert not any(f"{label}=" in text for label in ("agent", "host", "path"))


async def test_host_names_are_read_strictly() -> None:
    assert hostname("[::1]:80") == "::1"
    assert hostname("a:b") is None
    assert hostname("a/b") is None
    assert not is_web_origin("null", "127.0.0.1", 3000)


async def raw(port: int, text: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    answer = await reader.read()
    writer.close()
    return answer
