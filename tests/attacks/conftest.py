"""The destination's certificate, for all attacks the same."""

import ssl
from dataclasses import dataclass

import pytest

from tests.attacks.scene import HOSTS
from tests.e2e.pki import TestAuthority


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """`tls`: a context with the destination's certificate, `h2` one that speaks HTTP/2 alone; `roots`: the file of the CA that made
    it."""

    tls: ssl.SSLContext
    h2: ssl.SSLContext
    roots: str


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    authority = TestAuthority(tmp_path_factory.mktemp("attacks"))
    pair = authority.issue(*HOSTS)
    contexts = [ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for _ in range(2)]
    for context in contexts:
        context.load_cert_chain(pair.certificate, pair.key)
    contexts[1].set_alpn_protocols(["h2"])
    return Trust(tls=contexts[0], h2=contexts[1], roots=str(authority.file))
