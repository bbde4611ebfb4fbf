from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from certs import ca, leaf
from certs.leaf import LeafIssuer

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer(clock: Clock) -> LeafIssuer:
    return LeafIssuer(ca.create(NOW), now=clock)


@pytest.mark.parametrize("host", ["api.example.com", "192.0.2.7", "2001:db8::7", "a." * 40 + "example"])
def test_a_leaf_is_accepted_for_its_host_by_who_trusts_the_ca(issuer: LeafIssuer, host: str) -> None:
    subject = leaf._general_name(host)
    verifier = PolicyBuilder().store(Store([issuer.authority.certificate])).time(NOW).build_server_verifier(subject)  # type: ignore[arg-type]
    assert len(verifier.verify(issuer.leaf(host).certificate, [])) == 2


def test_the_leaves_key_is_not_the_cas(issuer: LeafIssuer) -> None:
    assert issuer.leaf("a.test").certificate.public_key() != issuer.authority.certificate.public_key()
    assert issuer.leaf("a.test").certificate.public_key() == issuer.key.public_key()


def test_a_leaf_is_no_ca(issuer: LeafIssuer) -> None:
    basic = issuer.leaf("a.test").certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert not basic.value.ca


def test_a_leaf_is_kept_and_renewed_before_it_ends(issuer: LeafIssuer, clock: Clock) -> None:
    first = issuer.leaf("a.test")
    assert issuer.leaf("a.test") is first
    clock.now += leaf.LIFE - timedelta(hours=12)
    second = issuer.leaf("a.test")
    assert second is not first
    assert first.certificate.not_valid_after_utc > clock.now


def test_the_leaf_not_used_for_longest_makes_room(issuer: LeafIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaf, "KEPT", 2)
    first = issuer.leaf("a.test")
    issuer.leaf("b.test")
    issuer.leaf("a.test")
    issuer.leaf("c.test")
    assert issuer.leaf("a.test") is first
    assert len(issuer._leaves) == 2
