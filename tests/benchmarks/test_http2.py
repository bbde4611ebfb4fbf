"""The load's HTTP/2 client and the destination's HTTP/2 understand each other."""

import asyncio
import ssl
from pathlib import Path

from benchmarks.http2 import Http2Connection
from benchmarks.place import destination


async def test_each_request_gets_its_answer(tmp_path: Path) -> None:
    with destination(tmp_path) as place:
        context = ssl.create_default_context(cafile=place.ca_file)
        context.set_alpn_protocols(["h2"])
        loop = asyncio.get_running_loop()
        transport, connection = await loop.create_connection(Http2Connection, place.host, place.http2, ssl=context)
        connection.begin(transport)
        for method, body in (("GET", b""), ("POST", b"x" * 100)):
            status, answer = await connection.ask(method, f"{place.host}:{place.http2}", "/items/1", body)
            assert (status, answer[:10]) == (200, b'{"ok":true')
        connection.close()
