"""`AAF_UPSTREAM_PROXY`: the proxy through which this network is left, read once."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from firewall.errors import Malformed
from firewall.request import canonical_host

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHop:
    """`credential`: `name:password`, empty for none; `tls`: the proxy itself is spoken to by TLS."""

    host: str
    port: int
    tls: bool
    credential: str = ""


def parse_upstream_proxy(text: str) -> ProxyHop:
    """`http://` or `https://`, with a credential and a port where they are needed. Raises ValueError, which quotes nothing."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("is no URL") from None
    if url.scheme not in _PORTS or url.path not in {"", "/"} or url.query or url.fragment:
        raise ValueError("must be http://[NAME:PASSWORD@]HOST[:PORT], or https://")
    try:
        host = canonical_host(url.hostname or "")
    except Malformed:
        raise ValueError("names no host") from None
    name, password = unquote(url.username or ""), unquote(url.password or "")
    if ":" in name or not (name + password).isprintable():
        raise ValueError("has a credential that cannot be sent")
    if port == 0:
        raise ValueError("has a port that is none")
    credential = f"{name}:{password}" if url.username is not None else ""
    return ProxyHop(host=host, port=port or _PORTS[url.scheme], tls=url.scheme == "https", credential=credential)
