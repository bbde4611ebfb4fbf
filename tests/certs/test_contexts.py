"""Leaves as TLS contexts: one a host, the newest of them kept, the server named by the client honoured."""

import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certs import ca, contexts
from certs.contexts import LeafContexts
from certs.leaf import LIFE, LeafIssuer

START = datetime(2026, 11, 25, tzinfo=UTC)


class Clock:
    now = START


def made(clock: Clock) -> tuple[ca.Authority, LeafContexts]:
    authority = ca.create(START)
    return authority, LeafContexts(LeafIssuer(authority, now=lambda: clock.now))


def handshake(
    authority: ca.Authority, server: ssl.SSLContext, name: str | None, alpn: list[str] | None = None
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A client that trusts the authority, and what the server knows of it."""
    context = ssl.create_default_context(cadata=ca.certificate_pem(authority))
    if name is None:
        context.check_hostname = False
    if alpn:
        context.set_alpn_protocols(alpn)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname=name)
    other = server.wrap_bio(up, down, server_side=True)
    for side in (client, other, client, other):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client, other


def names(client: ssl.SSLObject) -> list[str]:
    found: Any = client.getpeercert()
    return [value for _, value in found["subjectAltName"]]


def test_a_client_that_trusts_the_authority_trusts_the_leaf() -> None:
    authority, leaves = made(Clock())
    client, server = handshake(authority, leaves.context("up.test", http2=False), "up.test")
    assert names(client) == ["up.test"]
    assert leaves.server_name(server) == "up.test"


def test_a_client_that_names_another_server_is_let_in_to_be_told() -> None:
    authority, leaves = made(Clock())
    client, server = handshake(authority, leaves.context("up.test", http2=False), "other.test")
    assert names(client) == ["other.test"]
    assert leaves.server_name(server) == "other.test"


def test_a_client_that_names_no_server_gets_the_tunnels() -> None:
    authority, leaves = made(Clock())
    client, server = handshake(authority, leaves.context("up.test", http2=False), None)
    assert names(client) == ["up.test"]
    assert leaves.server_name(server) is None


def test_a_host_has_one_context_until_its_leaf_is_renewed() -> None:
    clock = Clock()
    _, leaves = made(clock)
    first = leaves.context("up.test", http2=False)
    assert leaves.context("up.test", http2=False) is first
    clock.now = START + LIFE - timedelta(hours=1)
    assert leaves.context("up.test", http2=False) is not first


@pytest.mark.parametrize("http2", [False, True])
def test_no_tickets_are_given_for_workers_share_no_keys(http2: bool) -> None:
    _, leaves = made(Clock())
    assert leaves.context("up.test", http2=http2).num_tickets == 0


def test_the_least_used_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "KEPT", 2)
    _, leaves = made(Clock())
    first, second = leaves.context("one.test", http2=False), leaves.context("two.test", http2=False)
    assert leaves.context("one.test", http2=False) is first
    leaves.context("three.test", http2=False)
    assert leaves.context("one.test", http2=False) is first
    assert leaves.context("two.test", http2=False) is not second


def test_the_key_rests_in_no_file_that_anybody_else_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.memfd_create", raising=False)
    authority, leaves = made(Clock())
    client, _ = handshake(authority, leaves.context("up.test", http2=False), "up.test")
    assert names(client) == ["up.test"]
