"""The destination as both proxies see it: one name, a certificate for it, and the process that answers (`upstream`)."""

import contextlib
import datetime
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from certs import ca

HOST = "localhost"
"""A name, so that both proxies look it up and verify the certificate for it; no setting leads elsewhere."""

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`https`, `http`, `http2`: ports; the last speaks nothing but HTTP/2. `ca_file`: what signed the certificate."""

    host: str
    https: int
    http: int
    http2: int
    ca_file: Path


def make_pki(folder: Path) -> tuple[Path, Path, Path]:
    """CA, certificate and key of `HOST`."""
    now = datetime.datetime.now(datetime.UTC)
    authority = ca.create(now)
    key = ca.create(now).key
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    files = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    files[0].write_text(ca.certificate_pem(authority))
    files[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[2].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@contextlib.contextmanager
def destination(folder: Path) -> Iterator[Place]:
    ca_file, certificate, key = make_pki(folder)
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.upstream", HOST, str(certificate), str(key)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        ports = json.loads(process.stdout.readline())
        yield Place(host=HOST, https=ports["https"], http=ports["http"], http2=ports["http2"], ca_file=ca_file)
    finally:
        process.communicate()
