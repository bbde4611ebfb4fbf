"""HTTP/2 on a link: windows and floods (TRAPS 11)."""

import asyncio
import ssl
from contextlib import suppress

from h2.errors import ErrorCodes

from tests.gateway.http2_agent import agent
from tests.gateway.rig import RawUpstream, Rig, until

MEGABYTE = 1 << 20


async def test_a_client_that_gives_no_window_stops_the_destination(rig: Rig, raw_context: ssl.SSLContext) -> None:
    """TRAPS 11: what a client does not take is not read from the destination either."""
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 * MEGABYTE))
        for _ in range(200):
            writer.write(b"x" * MEGABYTE)
            await writer.drain()
            sent += 1

    async with RawUpstream(pour, tls=raw_context).serving() as destination:
        rig.lead("raw.test", destination.port)
        made = await agent(rig, "raw.test")
        made.gives_windows = False
        fields = [(":method", "GET"), (":scheme", "https"), (":authority", "raw.test"), (":path", "/a")]
        number = await made.raw(fields)
        await made.until(lambda: len(made.bodies.get(number, b"")) >= 60_000)
        (session,) = rig.gateway.sessions()
        assert session.link.backlog < MEGABYTE
        seen, stalled = -1, 0
        while stalled < 20:  # twenty looks in a row at which nothing moved
            stalled = stalled + 1 if sent == seen else 0
            seen = sent
            await asyncio.sleep(0.01)
        assert sent < 40


async def test_streams_opened_and_reset_without_end_close_the_connection(rig: Rig) -> None:
    """CVE-2023-44487, rapid reset."""
    made = await agent(rig)
    with suppress(ConnectionError):
        for _ in range(2000):
            made.h2.reset_stream(await made.request(), ErrorCodes.CANCEL)
            await made.flush()
    await until(lambda: not len(rig.gateway))
