"""A name whose owner is the attacker: a DNS server that lies, an open destination and a secret one at the same port."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from tests.attacks.vector import Naming
from tests.attacks.witness import Witness
from tests.firewall.backends.dns_server import DnsServer, Record, Says

OPEN, SECRET = "127.0.0.2", "127.0.0.3"
"""The policy names the first as one that may be dialled (`allow_private`). Nobody may dial the second."""


def lie(dns: DnsServer, attack: Naming) -> None:
    """Each further look-up of the name gets the next answer, the last one for ever."""

    def heard(name: str) -> None:
        if name == attack.host:
            number = min(max(dns.times(name), 1), len(attack.says)) - 1
            alias = (Record(value=attack.alias, alias=True, ttl=attack.ttl),) if attack.alias else ()
            owner = attack.alias or ""
            records = tuple(Record(value=one, ttl=attack.ttl, name=owner) for one in attack.says[number])
            dns.says[name] = Says(records=alias + records)

    dns.heard = heard


@asynccontextmanager
async def open_and_secret() -> AsyncIterator[tuple[Witness, Witness]]:
    port = _common_port()
    one, other = Witness(), Witness()
    async with one.serving(address=OPEN, port=port), other.serving(address=SECRET, port=port):
        yield one, other


def _common_port() -> int:
    with closing(socket.socket()) as first, closing(socket.socket()) as second:
        first.bind((OPEN, 0))
        port = int(first.getsockname()[1])
        second.bind((SECRET, port))
        return port
