import asyncio
import ssl
from pathlib import Path

from benchmarks.client import Connection, Proxy, connect
from benchmarks.place import HOST, destination
from benchmarks.upstream import BODY


async def test_the_destination_answers_over_tls_by_its_name_and_plain(tmp_path: Path) -> None:
    with destination(tmp_path) as place:
        tls = ssl.create_default_context(cafile=str(place.ca_file))
        _, secure = await asyncio.get_running_loop().create_connection(Connection, place.host, place.https, ssl=tls)
        plain = await connect(Proxy(host=place.host, port=place.http), place.host, place.http, None)
        for connection in (secure, plain):
            assert await connection.ask(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()) == (200, BODY)
            connection.close()
