"""Bundles of trusted certificates (PEM): the system's roots, and ours with them."""

import ssl
from pathlib import Path

import certifi

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
)


def system_roots() -> bytes:
    """The machine's own trust store; where it has none, the one that ships with certifi."""
    known = ssl.get_default_verify_paths()
    for name in (known.cafile, *_BUNDLES):
        if name is not None and (file := Path(name)).is_file() and (text := file.read_bytes()).strip():
            return text
    return Path(certifi.where()).read_bytes()


def trust_bundle(*more: bytes) -> bytes:
    """The system's roots and `more` certificates."""
    return b"\n".join(part.strip() for part in (system_roots(), *more)) + b"\n"
