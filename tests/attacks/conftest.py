"""The destination's certificate, for all attacks the same."""

import ssl
from dataclasses import dataclass

import pytest

from tests.attacks.scene import HOSTS
from tests.e2e.pki import TestAuthority


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """`tls`: a context with the destination's certificate; `roots`: the file of the CA that made it."""

    tls: ssl.SSLContext
    roots: str


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    authority = TestAuthority(tmp_path_factory.mktemp("attacks"))
    pair = authority.issue(*HOSTS)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return Trust(tls=context, roots=str(authority.file))
