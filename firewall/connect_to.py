"""`AAF_CONNECT_TO`: the operator's own routing of names, read once."""

from dataclasses import dataclass

from firewall.address import literal
from firewall.errors import Malformed
from firewall.request import canonical_host


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """One entry of AAF_CONNECT_TO. Empty and 0: any `host` and `port`; `to_host` and `to_port` as asked."""

    host: str
    port: int
    to_host: str
    to_port: int

    def matches(self, host: str, port: int) -> bool:
        return self.host in {"", host} and self.port in {0, port}


def parse_connect_to(text: str) -> tuple[Detour, ...]:
    """`host:port:address:port, …`, as curl's --connect-to: a part may be empty, IPv6 in brackets. Raises ValueError."""
    return tuple(_detour(entry.strip()) for entry in text.split(",")) if text.strip() else ()


def _detour(entry: str) -> Detour:
    host, rest = _host(entry, entry)
    port, separator, rest = rest.partition(":")
    if not separator:
        raise ValueError(f"{entry!r}: write host:port:address:port")
    to_host, to_port = _host(rest, entry)
    return Detour(host=host, port=_port(port, entry), to_host=to_host, to_port=_port(to_port, entry))


def _host(text: str, entry: str) -> tuple[str, str]:
    if text.startswith("["):
        inner, bracket, rest = text[1:].partition("]")
        address = literal(inner)
        if not bracket or address is None or ":" not in address or not rest.startswith(":"):
            raise ValueError(f"{entry!r}: an IPv6 address stands in brackets, as in [::1]")
        return address, rest[1:]
    host, separator, rest = text.partition(":")
    if not separator:
        raise ValueError(f"{entry!r}: write host:port:address:port")
    try:
        # In the form that requests have, or an entry would be kept and never match.
        return canonical_host(host) if host else "", rest
    except Malformed:
        raise ValueError(f"{entry!r}: {host!r} is not a host name or address") from None


def _port(text: str, entry: str) -> int:
    if text == "":
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ValueError(f"{entry!r}: {text!r} is not a port")
    return int(text)
