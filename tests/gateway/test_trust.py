"""SIGHUP: what a worker trusts and shows is loaded again, and no connection is dropped for it."""

import asyncio
import json
import shutil
import signal
import ssl
from pathlib import Path

from cryptography import x509

from tests.e2e.pki import TestAuthority
from tests.gateway.rig import Wire, until
from tests.gateway.test_worker import Worker, listening, worker

__all__ = ["listening", "worker"]


async def connect(worker: Worker, authority: TestAuthority) -> Wire:
    context = ssl.create_default_context(cafile=authority.file)
    return Wire(*await asyncio.open_connection("127.0.0.1", worker.port, ssl=context, server_hostname="proxy.test"))


def serial(wire: Wire) -> int:
    return x509.load_der_x509_certificate(wire.peer_certificate()).serial_number


async def said(worker: Worker, event: str) -> str:
    """The line of the log that says `event`."""
    assert worker.process.stderr is not None
    async with asyncio.timeout(20):
        while line := await worker.process.stderr.readline():
            if json.loads(line).get("event") == event:
                return line.decode()
    raise AssertionError(f"never said: {event}")


ASK = b"GET http://up.test/ HTTP/1.1\r\nHost: up.test\r\n\r\n"


async def test_a_new_certificate_is_shown_to_new_connections_and_the_old_ones_go_on(worker: Worker, tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    pair = authority.issue("proxy.test")
    await worker.run(AAF_TLS_CERT_FILE=str(pair.certificate), AAF_TLS_KEY_FILE=str(pair.key))
    await worker.ready()
    old = await connect(worker, authority)
    assert (await old.ask(ASK)).status == 407
    authority.issue("proxy.test")  # the files are the same, what is in them is new
    worker.process.send_signal(signal.SIGHUP)
    await said(worker, "reload.done")
    new = await connect(worker, authority)
    assert serial(new) != serial(old)
    assert (await old.ask(ASK)).status == 407
    await old.close()
    await new.close()


async def test_a_broken_file_is_said_and_what_was_stays(worker: Worker, tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path)
    pair = authority.issue("proxy.test")
    more = tmp_path / "more.pem"
    shutil.copy(authority.file, more)
    settings = {"AAF_TLS_CERT_FILE": str(pair.certificate), "AAF_TLS_KEY_FILE": str(pair.key), "AAF_UPSTREAM_CA_FILE": str(more)}
    await worker.run(**settings)
    await worker.ready()
    first = await connect(worker, authority)
    more.write_text("nothing")
    worker.process.send_signal(signal.SIGHUP)
    assert "AAF_UPSTREAM_CA_FILE" in await said(worker, "reload.refused")
    second = await connect(worker, authority)
    assert serial(second) == serial(first)
    await first.close()
    await second.close()
    await until(lambda: worker.process.returncode is None)
