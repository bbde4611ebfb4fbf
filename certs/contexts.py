"""Leaves as contexts for TLS that ends in C: one for each host, in an LRU."""

import os
import ssl
import tempfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.leaf import Leaf, LeafIssuer
from firewall.errors import Malformed
from firewall.request import canonical_host

KEPT = 1024
HTTP1_FIRST = ["http/1.1", "h2"]
HTTP2_FIRST = ["h2", "http/1.1"]


class LeafContexts:
    """The server's order of ALPN counts: HTTP/2 only for clients that offer nothing else, or for hosts that prefer it."""

    def __init__(self, issuer: LeafIssuer) -> None:
        self._issuer = issuer
        self._key = issuer.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._contexts: OrderedDict[tuple[str, bool], tuple[Leaf, ssl.SSLContext]] = OrderedDict()

    def context(self, host: str, *, http2: bool) -> ssl.SSLContext:
        """`host`: canonical, where the CONNECT led. A client that names another server gets that one's certificate, so that it
        can be told inside what is wrong."""
        leaf = self._issuer.leaf(host)
        found = self._contexts.get((host, http2))
        if found is not None and found[0] is leaf:
            self._contexts.move_to_end((host, http2))
            return found[1]
        made = self._make(leaf, http2=http2)
        self._contexts[host, http2] = leaf, made
        self._contexts.move_to_end((host, http2))
        while len(self._contexts) > KEPT:
            self._contexts.popitem(last=False)
        return made

    def server_name(self, tls: ssl.SSLObject) -> str | None:
        """What the client named, as it spelt it."""
        return getattr(tls, "aaf_server_name", None)

    def _make(self, leaf: Leaf, *, http2: bool) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.num_tickets = 0  # they cost, and workers share no keys for them
        _load(context, self._key + leaf.certificate.public_bytes(Encoding.PEM))
        context.set_alpn_protocols(HTTP2_FIRST if http2 else HTTP1_FIRST)

        def named(tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int | None:
            tls.aaf_server_name = name  # type: ignore[attr-defined]
            with suppress(Malformed):
                if name is not None and (other := canonical_host(name)) != leaf.host:
                    tls.context = self.context(other, http2=http2)
            return None

        context.sni_callback = named
        return context


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """`ssl` takes keys from a path only: a file in memory where there is one, else one that nobody else may read."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("leaf", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory(prefix="aaf-leaf-") as folder:
        file = Path(folder) / "leaf.pem"
        file.touch(mode=0o600)
        file.write_bytes(pem)
        context.load_cert_chain(file)
