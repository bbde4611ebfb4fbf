"""Leaves: what an agent sees as the destination's certificate. Their key is not the CA's (TRAPS 10) and lives as long as the
process; they are made when first needed, kept in an LRU, and renewed long before they end."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.ca import SKEW, Authority

LIFE = timedelta(days=7)
RENEW = timedelta(days=1)
KEPT = 4096
_COMMON_NAME_LIMIT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    host: str
    certificate: x509.Certificate
    renew_at: datetime


class LeafIssuer:
    """`now` returns the time in UTC."""

    def __init__(self, authority: Authority, *, now: Callable[[], datetime]) -> None:
        self.authority = authority
        self.key = ec.generate_private_key(ec.SECP256R1())
        self._now = now
        self._leaves: OrderedDict[str, Leaf] = OrderedDict()

    def leaf(self, host: str) -> Leaf:
        """`host`: a name in A-labels, or a literal address."""
        now = self._now()
        found = self._leaves.get(host)
        if found is not None and now < found.renew_at:
            self._leaves.move_to_end(host)
            return found
        made = self._leaves[host] = Leaf(host=host, certificate=self._issue(host, now), renew_at=now + LIFE - RENEW)
        self._leaves.move_to_end(host)
        while len(self._leaves) > KEPT:
            self._leaves.popitem(last=False)
        return made

    def _issue(self, host: str, now: datetime) -> x509.Certificate:
        issuer = self.authority.certificate
        named = len(host) < _COMMON_NAME_LIMIT
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, host)] if named else []
        ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(issuer.subject)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=not named)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski), critical=False)
            .sign(self.authority.key, hashes.SHA256())
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
