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

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


def system_roots() -> bytes:
    """The machine's own trust store; where it has none, the one that ships with certifi."""
    known = ssl.get_default_verify_paths()
    for name in (known.cafile, *_BUNDLES):
        if name is not None and _CERTIFICATE in (text := _read(name)):
            return text
    return Path(certifi.where()).read_bytes()


def _read(name: str) -> bytes:
    """Empty where there is no such file, or none that we may read: the next one may do."""
    try:
        return Path(name).read_bytes()
    except OSError:
        return b""


def trust_bundle(*more: bytes) -> bytes:
    """The system's roots and `more` certificates."""
    return b"\n".join(part.strip() for part in (system_roots(), *more)) + b"\n"
