"""An agent's side of the gateway down to the byte: what no client library would send, and what each would have to show."""

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.parts import Agent

SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`headers`: names in lower case."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document, which only the firewall's own answers are."""
        assert self.headers.get("content-type") == "application/problem+json", (self.status, self.headers, self.body)
        found: dict[str, Any] = json.loads(self.body)
        return found


class Wire:
    """One connection to a gateway. Bytes go out as they are given."""

    def __init__(self, port: int) -> None:
        self._socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> "Wire":
        self._socket.sendall(data)
        return self

    def send_what_can_be(self, data: bytes) -> None:
        """Sends until the other side no longer takes it."""
        with suppress(ConnectionError):
            self._socket.sendall(data)

    def start_tls(self, server_name: str, ca_file: Path) -> "Wire":
        context = ssl.create_default_context(cafile=ca_file)
        self._socket = context.wrap_socket(self._socket, server_hostname=server_name)
        return self

    def answer(self, method: str = "GET", seconds: float = SECONDS) -> Answer:
        """The next answer, read whole. Raises http.client.HTTPException or OSError when none comes."""
        self._socket.settimeout(seconds)
        response = http.client.HTTPResponse(self._socket, method=method)
        try:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            body = b"" if method == "CONNECT" and response.status == 200 else response.read()
            return Answer(status=response.status, reason=response.reason, headers=headers, body=body)
        finally:
            response.close()

    def line(self) -> bytes:
        """The next line, read byte by byte, so that what follows is left for `answer`."""
        self._socket.settimeout(SECONDS)
        got = b""
        while not got.endswith(b"\n") and (byte := self._socket.recv(1)):
            got += byte
        return got

    def silent(self) -> bool:
        """Whether nothing has come yet."""
        self._socket.settimeout(0)
        try:
            return not self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True

    def ended(self, seconds: float = SECONDS) -> bytes:
        """Waits until the other side ends the connection; returns what it still sent."""
        self._socket.settimeout(seconds)
        got = b""
        try:
            while data := self._socket.recv(65536):
                got += data
        except ConnectionError:
            pass
        except ssl.SSLError as error:
            if not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                raise
        return got


def credential(agent: Agent) -> str:
    return "Basic " + base64.b64encode(f"{agent.name}:{agent.token}".encode()).decode()


def connect_head(agent: Agent, authority: str) -> bytes:
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nProxy-Authorization: {credential(agent)}\r\n\r\n".encode()


def head(method: str, target: str, host: str, **fields: str) -> bytes:
    """A request head; `fields` with `_` for `-`."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{k.replace('_', '-')}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def request(method: str, target: str, host: str, body: bytes = b"", /, **fields: str) -> bytes:
    if body:
        fields["Content_Length"] = str(len(body))
    return head(method, target, host, **fields) + body


def tunnel(agent: Agent, host: str, ca_file: Path, *, port: int = 443, gateway: int | None = None, sni: str | None = None) -> Wire:
    """CONNECT and TLS, ready for requests. `gateway`: the port of another gateway than the agent's own."""
    wire = opened(agent, f"{host}:{port}", gateway=gateway)
    try:
        return wire.start_tls(sni or host, ca_file)
    except BaseException:
        wire.close()
        raise


def opened(agent: Agent, authority: str, *, gateway: int | None = None) -> Wire:
    """A CONNECT that was answered with 200."""
    wire = Wire(gateway or agent.port).send(connect_head(agent, authority))
    try:
        answer = wire.answer("CONNECT")
        assert answer.status == 200, answer
    except BaseException:
        wire.close()
        raise
    return wire
