"""Dialling: to checked addresses alone, one after another, and through an upstream proxy."""

import asyncio
import base64
import socket
import ssl
from contextlib import closing, suppress
from pathlib import Path

import pytest

from firewall.audit.entry import Event
from firewall.egress import Destinations, Route
from firewall.errors import UpstreamTimeout, UpstreamUnreachable
from gateway.dial import PROXY_HEAD_LIMIT, Dialer
from gateway.pool import Key
from tests.e2e.pki import TestAuthority
from tests.e2e.upstream import Upstream
from tests.firewall.hellos import hello
from tests.gateway.proxy import SomeProxy
from tests.gateway.rig import RawUpstream, inner, plain, running, until
from tests.gateway.test_timeouts import black_hole

ADDRESS = "127.0.0.1"


def key(host: str = "up.test", *, tls: bool = False) -> Key:
    return Key("agt_1", host, 443 if tls else 80, "", tls, ("http/1.1",) if tls else ())


async def test_the_addresses_are_tried_one_after_another(upstream: Upstream) -> None:
    dialled = await Dialer(roots="", seconds=20).dial(key(), Route(addresses=("127.0.0.9", ADDRESS), port=upstream.http_port))
    assert (dialled.key.address, dialled.server.peername) == (ADDRESS, (ADDRESS, upstream.http_port))
    dialled.link.abort()


async def test_what_is_no_address_is_not_dialled_even_if_it_resolves(upstream: Upstream) -> None:
    with pytest.raises(AssertionError, match="must be an address"):
        await Dialer(roots="", seconds=20).dial(key(), Route(addresses=("localhost",), port=upstream.http_port, unchecked=True))


async def test_a_certificate_of_another_name_is_refused(upstream: Upstream, upstream_roots: str) -> None:
    with pytest.raises(UpstreamUnreachable, match="certificate is refused"):
        await Dialer(roots=upstream_roots, seconds=20).dial(
            key("wrong.test", tls=True), Route(addresses=(ADDRESS,), port=upstream.https_port)
        )


async def test_certificates_as_openssl_makes_them_by_itself_are_accepted(tmp_path: Path) -> None:
    authority = TestAuthority(tmp_path, bare=True)
    pair = authority.issue("bare.test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    async with await asyncio.start_server(lambda _, writer: writer.close(), ADDRESS, 0, ssl=tls) as server:
        route = Route(addresses=(ADDRESS,), port=server.sockets[0].getsockname()[1])
        dialled = await Dialer(roots=str(authority.file), seconds=20).dial(key("bare.test", tls=True), route)
        dialled.link.abort()


async def _keep(raw: RawUpstream, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(65536):
        raw.received += data


# --- through a proxy


async def test_plain_http_goes_by_connect_to_the_checked_address(upstream: Upstream) -> None:
    async with SomeProxy().serving() as proxy, running(upstream, hop=proxy.hop()) as rig:
        assert (await rig.ask(plain("/a"))).body == b"reached /a"
        assert proxy.heads == [f"CONNECT {ADDRESS}:{upstream.http_port} HTTP/1.1\r\nHost: {ADDRESS}:{upstream.http_port}\r\n\r\n"]
        assert rig.ledger.fields(Event.ACTION_DECIDED)[0]["address"] == ADDRESS


async def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    async def hear(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with RawUpstream(hear).serving() as destination:
        with black_hole("127.0.0.2", destination.port):
            dialled = await Dialer(roots="", seconds=2).dial(key(), Route(addresses=("127.0.0.2", ADDRESS), port=destination.port))
            assert dialled.key.address == ADDRESS
            dialled.link.abort()


async def test_addresses_that_do_not_answer_are_a_timeout() -> None:
    with black_hole() as port, pytest.raises(UpstreamTimeout):
        await Dialer(roots="", seconds=0.1).dial(key(), Route(addresses=(ADDRESS, ADDRESS), port=port))


async def test_what_refuses_is_said_so() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind((ADDRESS, 0))
        with pytest.raises(UpstreamUnreachable, match="cannot be reached"):
            await Dialer(roots="", seconds=20).dial(key(), Route(addresses=(ADDRESS,), port=nobody.getsockname()[1]))


@pytest.mark.parametrize(
    ("issued", "expired", "trusted", "words"),
    [
        ("up.test", False, True, ""),
        ("up.test", True, True, "expired"),
        ("other.test", False, True, "Hostname mismatch"),
        ("up.test", False, False, "unable to get local issuer"),
    ],
    ids=["good", "expired", "for another name", "of a CA that nobody trusts"],
)
async def test_a_certificate_must_be_good_for_the_name(
    upstream_authority: TestAuthority, tmp_path: Path, issued: str, expired: bool, trusted: bool, words: str
) -> None:
    pair = upstream_authority.issue(issued, expired=expired)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    got = bytearray()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            got.extend(await reader.read())
        writer.close()

    server = await asyncio.start_server(hear, ADDRESS, 0, ssl=tls)
    roots = upstream_authority.file if trusted else TestAuthority(tmp_path).file
    route = Route(addresses=(ADDRESS, "127.0.0.9"), port=server.sockets[0].getsockname()[1])
    try:
        dialling = Dialer(roots=str(roots), seconds=20).dial(key(tls=True), route)
        if words:
            with pytest.raises(UpstreamUnreachable, match=words) as refused:
                await dialling
            assert refused.value.detail.startswith("the destination's certificate is refused")  # and no other address was tried
        else:
            dialled = await dialling
            assert (dialled.server.sni, dialled.server.tls, len(dialled.server.certificate_list)) == ("up.test", True, 1)
            dialled.link.abort()
    finally:
        server.close()
    assert bytes(got) == b""


async def test_https_goes_by_connect_to_the_checked_address_with_tls_to_the_name(upstream: Upstream, upstream_roots: str) -> None:
    async with SomeProxy().serving() as proxy, running(upstream, roots=upstream_roots, hop=proxy.hop()) as rig:
        wire = await rig.tunnel()
        for _ in range(3):
            assert (await wire.ask(inner("/a"))).body == b"reached /a"
        assert proxy.authorities == [f"{ADDRESS}:{upstream.https_port}"]


async def test_a_proxy_is_spoken_to_by_tls_and_with_a_credential(
    upstream: Upstream, upstream_roots: str, upstream_authority: TestAuthority
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = upstream_authority.issue("localhost")
    tls.load_cert_chain(pair.certificate, pair.key)
    async with SomeProxy(tls=tls).serving() as proxy:
        hop = proxy.hop(host="localhost", credential="me:p@ss")
        async with running(upstream, roots=upstream_roots, hop=hop) as rig:
            wire = await rig.tunnel()
            assert (await wire.ask(inner("/a"))).body == b"reached /a"
    given = base64.b64encode(b"me:p@ss").decode()
    assert [f"Proxy-Authorization: Basic {given}" in head.split("\r\n") for head in proxy.heads] == [True]


async def test_a_proxy_with_another_name_in_its_certificate_gets_nothing(
    upstream: Upstream, upstream_roots: str, upstream_authority: TestAuthority
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = upstream_authority.issue("proxy.test")
    tls.load_cert_chain(pair.certificate, pair.key)
    async with SomeProxy(tls=tls).serving() as proxy:
        async with running(upstream, roots=upstream_roots, hop=proxy.hop(host="localhost", credential="me:p@ss")) as rig:
            assert (await rig.ask(plain("/a"))).status == 502
        assert proxy.heads == []


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused with 407"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "refused with 503"),
        (b"HTTP/2 200\r\n\r\n", "no answer to CONNECT"),
        (b"SSH-2.0-x\r\n\r\n", "no answer to CONNECT"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "no answer to CONNECT"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * PROXY_HEAD_LIMIT, "too large"),
    ],
    ids=["407", "503", "another version", "another protocol", "an answer that nobody asked for", "a head without end"],
)
async def test_a_proxy_that_does_not_agree_is_said_so(upstream: Upstream, says: bytes, words: str) -> None:
    async with SomeProxy(says=says).serving() as proxy, running(upstream, hop=proxy.hop()) as rig:
        answer = await rig.ask(plain("/a"))
        assert answer.status == 502
        assert words in answer.json()["detail"]
        await until(lambda: rig.ledger.failed() == ["upstream-unreachable"])
        assert rig.log.requests == []


async def test_a_proxy_that_says_nothing_is_given_up() -> None:
    async with SomeProxy(says=b"").serving() as proxy:
        with pytest.raises(UpstreamTimeout):
            await Dialer(roots="", seconds=0.05, hop=proxy.hop()).dial(key(), Route(addresses=(ADDRESS,), port=80))


async def test_a_proxy_that_resolves_gets_the_name_and_the_entry_says_so(upstream: Upstream, upstream_roots: str) -> None:
    async with SomeProxy().serving() as proxy, running(roots=upstream_roots, hop=proxy.hop()) as rig:
        rig.resolver.literal = Route(addresses=("up.test",), port=443, unchecked=True)
        rig.revisions.destinations = Destinations(naming_rules=frozenset({"allowed"}))
        proxy.leads = lambda authority: upstream.https_port
        wire = await rig.tunnel()
        assert (await wire.ask(inner("/a"))).body == b"reached /a"
        assert proxy.authorities == ["up.test:443"]
        assert [fields["address"] for fields in rig.ledger.fields(Event.ACTION_DECIDED)] == ["unchecked"]


async def test_a_proxy_that_resolves_gets_no_name_that_no_rule_names() -> None:
    async with SomeProxy().serving() as proxy, running(hop=proxy.hop()) as rig:
        rig.resolver.literal = Route(addresses=("other.test",), port=80, unchecked=True)
        answer = await rig.ask(plain("/a", host="other.test"))
        assert (answer.status, answer.code) == (403, "address")
        assert proxy.heads == []


async def test_what_is_passed_through_goes_through_the_proxy_too() -> None:
    async with SomeProxy().serving() as proxy, running(hop=proxy.hop()) as rig:
        raw = RawUpstream(lambda reader, writer: _keep(raw, reader))
        async with raw.serving():
            rig.lead("pinned.test", raw.port)
            rig.revisions.destinations = Destinations(pass_through=("pinned.test",))
            wire = await rig.tunnel("pinned.test", tls=False)
            await wire.send(hello())
            await until(lambda: bytes(raw.received) == hello())
            assert proxy.authorities == [f"{ADDRESS}:{raw.port}"]
