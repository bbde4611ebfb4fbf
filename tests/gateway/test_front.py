"""What may stand in a tunnel, and what is closed (TRAPS 5, 7, 22)."""

import asyncio
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from addons.services import Limits
from firewall.audit.entry import Event
from firewall.egress import Destinations
from tests.e2e.upstream import Upstream
from tests.gateway.rig import RawUpstream, Rig, basic, inner, plain, running, until

DNS_QUERY = b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02up\x04test\x00\x00\x01\x00\x01"
RAW = {
    "one letter": b"G",
    "an unfinished request line": b"GET / HT",
    "a whole plain request": inner("/"),
    "an ssh greeting": b"SSH-2.0-OpenSSH_9.6\r\n",
    "zeros": b"\x00" * 64,
    "a dns query": DNS_QUERY,
    "smtp": b"EHLO up.test\r\n",
}


class Silent:
    """A destination that says nothing and keeps what it gets."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.raw = RawUpstream(self._behave)

    async def _behave(self, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self.received += data


@pytest.mark.parametrize("port", [443, 53, 5353, 853, 22])
@pytest.mark.parametrize("data", RAW.values(), ids=RAW.keys())
async def test_bytes_that_are_not_tls_are_closed(rig: Rig, data: bytes, port: int) -> None:
    rig.revisions.destinations = Destinations(ports=frozenset({80, port}))
    silent = Silent()
    async with silent.raw.serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.tunnel("raw.test", port, tls=False)
        await wire.send(data)
        assert await wire.rest() == b""
        assert (destination.connections, bytes(silent.received)) == (0, b"")
    assert rig.resolver.asked == []


async def test_one_connection_too_many_is_refused_at_connect_and_in_a_plain_request(
    upstream: Upstream, upstream_roots: str
) -> None:
    async with running(upstream, roots=upstream_roots, limits=Limits(connections_per_agent=1)) as rig:
        first = await rig.tunnel()
        assert (await first.ask(inner("/a"))).status == 200
        connect = f"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n{basic()}\r\n".encode()
        for answer in (await rig.ask(connect, head_only=True), await rig.ask(plain("/b"))):
            assert (answer.status, answer.headers["retry-after"], answer.headers["x-aaf-decision"]) == (429, "5", "error")
        assert rig.ledger.decided() == [("allow", None), *[("error", "too-many-connections")] * 2]
        assert (await first.ask(inner("/a"))).status == 200
        await first.close()
        await until(lambda: rig.gateway.sessions() == [])
        assert (await rig.ask(plain("/b"))).body == b"reached /b"


async def test_plain_http_in_a_tunnel_to_port_80_is_judged_like_any(rig: Rig) -> None:
    wire = await rig.tunnel(port=80, tls=False)
    assert (await wire.ask(inner("/a"))).body == b"reached /a"
    assert rig.ledger.fields(Event.ACTION_DECIDED)[0]["scheme"] == "http"


async def test_other_bytes_in_a_tunnel_to_port_80_are_refused(rig: Rig) -> None:
    wire = await rig.tunnel(port=80, tls=False)
    answer = await wire.ask(b"EHLO up.test\r\n\r\n")
    assert (answer.status, answer.code) == (400, "malformed")
    assert await wire.rest() == b""
    assert rig.log.requests == []


async def test_bytes_inside_tls_that_are_not_http_are_refused(rig: Rig) -> None:
    wire = await rig.tunnel()
    answer = await wire.ask(b"\x00\x01\x02 SMTP\r\n\r\n")
    assert (answer.status, answer.code) == (400, "malformed")
    assert rig.log.requests == []


async def test_a_port_that_the_policy_does_not_name_is_refused_at_connect(rig: Rig) -> None:
    answer = await rig.ask(f"CONNECT up.test:25 HTTP/1.1\r\nHost: up.test:25\r\n{basic()}\r\n".encode())
    assert (answer.status, answer.code, answer.json()["detail"]) == (403, "policy", "the policy names no port 25")
    assert rig.ledger.decided() == [("deny", "policy")]
    plainly = await rig.ask(plain("/", host="up.test:8081"))
    assert (plainly.status, plainly.code) == (403, "policy")
    assert rig.log.requests == []


async def test_a_tunnel_without_an_identity_is_refused_and_says_how(rig: Rig) -> None:
    answer = await rig.ask(b"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n\r\n")
    assert (answer.status, answer.headers["proxy-authenticate"]) == (407, 'Basic realm="aaf"')
    assert "action_id" not in answer.json()
    assert rig.ledger.drafts == []


# --- CONNECT host, server name and Host --------------------------------------------------------------------------------


async def test_another_server_name_than_the_tunnels_is_refused(rig: Rig) -> None:
    wire = await rig.tunnel("up.test", server_name="other.test")
    answer = await wire.ask(inner("/"))
    assert (answer.status, answer.code) == (421, "misdirected")
    assert rig.log.requests == []


@pytest.mark.parametrize("host", ["other.test", "up.test:444", "up.test:80", "127.0.0.1", "up.test.other.test"])
async def test_another_host_than_the_tunnels_is_refused(rig: Rig, host: str) -> None:
    wire = await rig.tunnel()
    answer = await wire.ask(inner("/", host=host))
    assert (answer.status, answer.code) == (421, "misdirected")
    assert rig.log.requests == []


@pytest.mark.parametrize("host", ["UP.test", "up.test:443"])
async def test_another_spelling_of_the_same_host_is_not(rig: Rig, host: str) -> None:
    wire = await rig.tunnel()
    assert (await wire.ask(inner("/a", host=host))).status == 200


async def test_a_tunnel_without_a_server_name_goes_by_its_connect(rig: Rig) -> None:
    wire = await rig.tunnel(tls=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await wire.writer.start_tls(context)
    assert (await wire.ask(inner("/a"))).body == b"reached /a"


async def test_a_plain_request_whose_host_disagrees_with_its_target_is_refused(rig: Rig) -> None:
    answer = await rig.ask(f"GET http://up.test/ HTTP/1.1\r\nHost: other.test\r\n{basic()}\r\n".encode())
    assert (answer.status, answer.code) == (421, "misdirected")
    assert rig.log.requests == []


# --- upgrades -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "connect-udp", "connect-ip", "websocket2", "anything"])
async def test_an_upgrade_to_anything_but_websocket_is_not_passed_on(rig: Rig, protocol: str) -> None:
    headers = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    answer = await rig.ask(plain("/echo", headers=headers))
    got = answer.json()["headers"]
    assert answer.status == 200
    assert not {"upgrade", "http2-settings"} & got.keys()
    assert "upgrade" not in got.get("connection", "").lower()


@pytest.mark.parametrize("asked", ["", "Connection: Upgrade\r\nUpgrade: anything\r\n"])
async def test_a_101_that_nobody_asked_for_ends_the_connection(rig: Rig, asked: str) -> None:
    got = bytearray()

    async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: anything\r\n\r\nraw bytes")
        got.extend(await reader.read())

    async with RawUpstream(switch).serving() as destination:
        rig.lead("raw.test", destination.port)
        wire = await rig.connect()
        await wire.send(plain("/", host="raw.test", headers=asked))
        answer = await wire.answer()
        assert (answer.status, answer.code) == (502, "upgrade")
        await wire.send(b"raw bytes for the destination")
        await until(lambda: rig.ledger.failed())
    assert rig.ledger.failed() == ["upgrade"]
    assert bytes(got) == b""


# --- certificates (TRAPS 10) ------------------------------------------------------------------------------------------------


def _spki(key: object) -> bytes:
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
async def test_the_leafs_key_is_not_the_cas(rig: Rig, alpn: str) -> None:
    wire = await rig.tunnel(alpn=[alpn])
    leaf = x509.load_der_x509_certificate(wire.peer_certificate())
    assert _spki(leaf.public_key()) != _spki(rig.authority.certificate.public_key())
    assert leaf.issuer == rig.authority.certificate.subject
    leaf.verify_directly_issued_by(rig.authority.certificate)


async def test_the_leaf_is_for_the_very_host_and_can_sign_nothing(rig: Rig) -> None:
    wire = await rig.tunnel()
    leaf = x509.load_der_x509_certificate(wire.peer_certificate())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["up.test"]
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


async def test_only_http_1_1_is_agreed_on(rig: Rig) -> None:
    wire = await rig.tunnel(alpn=["h2", "http/1.1"])
    assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    assert (await wire.ask(inner("/a"))).status == 200


async def test_the_ca_answers_no_request_by_itself(rig: Rig) -> None:
    """mitmproxy's TLS addon would serve a revocation list to whoever asks for one."""
    serial = rig.authority.certificate.serial_number
    wire = await rig.tunnel()
    assert (await wire.ask(inner(f"/mitmproxy-{serial}.crl"))).body == f"reached /mitmproxy-{serial}.crl".encode()


async def test_a_connection_has_few_chances_to_show_a_credential(rig: Rig) -> None:
    wire = await rig.connect()
    await wire.send(b"CONNECT up.test:443 HTTP/1.1\r\nHost: up.test:443\r\n\r\n" * 3000)
    answers = [await wire.answer() for _ in range(4)]
    assert [answer.status for answer in answers] == [407] * 4
    assert ["connection" in answer.headers for answer in answers] == [False, False, False, True]
    assert await wire.rest() == b""
