"""The sockets of this installation on this machine: proxy, API, dashboard, admin ports, and database and OPA where they are here.
By any spelling: whatever address leads to this machine counts, loopback, unspecified or an interface's."""

import errno
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from firewall.address import forms
from firewall.settings import Settings

_ELSEWHERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


class LocalSockets:
    """The `OwnSockets` port. Whatever else uses one of these `ports` on this machine is out of reach with them."""

    def __init__(self, ports: Iterable[int]) -> None:
        self._ports = frozenset(ports) - {0}

    def __call__(self, address: str, port: int) -> bool:
        return port in self._ports and any(_is_here(form) for form in forms(address))


def ports_of(settings: Settings, *, proxy: int) -> frozenset[int]:
    """`proxy`: the port that is listened on, which a setting of 0 does not say."""
    found = {proxy, settings.api_port, settings.web_port, settings.gateway_admin_port, settings.worker_admin_port}
    for secret in (settings.database_url, settings.database_admin_url):
        if secret is not None:
            found.add(_port(secret.get_secret_value()) or 5432)
    if settings.opa_url is not None:
        found.add(_port(settings.opa_url))
    return frozenset(found)


def _port(url: str) -> int:
    try:
        return urlsplit(url).port or 0
    except ValueError:
        return 0


def _is_here(address: str) -> bool:
    """Whether this machine has that address: then a socket can be bound to it. What cannot be told counts as here."""
    parsed = ip_address(address)
    if parsed.is_unspecified or parsed.is_loopback:
        return True
    try:
        with socket.socket(socket.AF_INET if parsed.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno not in _ELSEWHERE
    return True
