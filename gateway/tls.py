"""mitmproxy's TLS with our certificates: everything from memory, leaves with a key of their own."""

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from mitmproxy import certs
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.proxy import context

from certs.leaf import LeafIssuer


class MemoryTls(TlsConfig):
    name = "tlsconfig"

    def __init__(self, issuer: LeafIssuer) -> None:
        authority = issuer.authority
        certificate = certs.Cert(authority.certificate)
        # The store is there for the few fields that mitmproxy reads from it; its own issuing is never reached.
        self.certstore = certs.CertStore(authority.key, certificate, None, b"", None)  # type: ignore[arg-type]
        self._issuer = issuer

    def configure(self, updated: Sequence[str]) -> None:
        super().configure(set(updated) - {"certs", "confdir", "key_size", "cert_passphrase"})  # type: ignore[no-untyped-call]

    def running(self) -> None:
        """mitmproxy's reads the certificates from a folder here."""

    def request(self, flow: Any) -> None:
        """mitmproxy's would answer requests for its revocation list."""

    def get_cert(self, conn_context: context.Context) -> certs.CertStoreEntry:
        host = conn_context.client.sni or (conn_context.server.address or ("unknown.invalid",))[0]
        leaf: x509.Certificate = self._issuer.leaf(host).certificate
        return certs.CertStoreEntry(certs.Cert(leaf), self._issuer.key, None, [])  # type: ignore[arg-type]
