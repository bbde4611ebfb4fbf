"""The destination: answers 200 with 200 bytes to anything, plain and over TLS, on the address that the name leads to. It notes
when the first byte of each `/held/…` request came, on the clock that all processes of a machine share, and tells it at
`/seen`."""

import asyncio
import json
import socket
import ssl
import sys
import time
from typing import cast

import uvloop
from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

from benchmarks.bulk import BULK, answer

BODY = b'{"ok":true,"pad":"' + b"x" * 180 + b'"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
SEEN: dict[str, int] = {}


class Server(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""
        self._began = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._began = time.monotonic_ns()
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _content_length(head)
            target = head.split(b" ", 2)[1].decode()
            if target.startswith(BULK):
                assert self._transport is not None
                answer(target, length).take(self._transport, self._buffer[end + 4 :])
                return
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(target)

    def _answer(self, path: str) -> None:
        assert self._transport is not None
        if path.startswith("/held/"):
            SEEN.setdefault(path, self._began)
        if path == "/seen":
            body = json.dumps(SEEN).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        else:
            self._transport.write(ANSWER)


class Http2Server(asyncio.Protocol):
    """The same over HTTP/2."""

    def __init__(self) -> None:
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None, validate_inbound_headers=False))
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._h2.initiate_connection()
        self._transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        for event in self._h2.receive_data(data):
            match event:
                case events.DataReceived():
                    self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                case events.StreamEnded():
                    self._h2.send_headers(event.stream_id, [(b":status", b"200"), (b"content-type", b"application/json")])
                    self._h2.send_data(event.stream_id, BODY, end_stream=True)
        self._transport.write(self._h2.data_to_send())


def _content_length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(head[at + 17 :].split(b"\r\n", 1)[0])


async def main(host: str, certificate: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    # One address: on two, port 0 would be two ports. It is the first because that is the one that is dialled.
    (*_, (address, *_)), *_ = await loop.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    secure = await loop.create_server(Server, str(address), 0, ssl=context, backlog=4096)
    plain = await loop.create_server(Server, str(address), 0, backlog=4096)
    second = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    second.load_cert_chain(certificate, key)
    second.set_alpn_protocols(["h2"])
    http2 = await loop.create_server(Http2Server, str(address), 0, ssl=second, backlog=4096)
    ports = [server.sockets[0].getsockname()[1] for server in (secure, plain, http2)]
    print(json.dumps(dict(zip(("https", "http", "http2"), ports, strict=True))), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3]))
