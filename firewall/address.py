"""Which addresses may be dialled: a table of our own, made from the IANA special-purpose registries (IPv4 and IPv6) and from
the addresses at which clouds serve credentials. Python's `ipaddress` parses; its `is_global` is not asked, because it calls
192.88.99.1 global and knows no cloud.

How an address is judged:
1. Text with a zone, or that is no address, is refused. IPv6 is global only within 2000::/3.
2. An address in `allow_private` passes, whatever its class. Metadata addresses are lifted only by a range of that one address,
   so that a wide range for one's own network does not open them.
3. A form that carries an IPv4 address (mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP) is refused for what it
   carries, and for what it is. A mapped address passes if `allow_private` names the IPv4 address it carries, for that is what
   is dialled; any form passes if `allow_private` names the form and what it carries is global or named too.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA = "a cloud metadata address"

# The first match names the class: the narrower before the wider.
TABLE: tuple[tuple[str, str], ...] = (
    ("169.254.169.254/32", METADATA),
    ("169.254.169.253/32", METADATA),
    ("169.254.169.123/32", METADATA),
    ("169.254.170.2/32", METADATA),
    ("169.254.170.23/32", METADATA),
    ("169.254.0.23/32", METADATA),
    ("169.254.42.42/32", METADATA),
    ("100.100.100.200/32", METADATA),
    ("168.63.129.16/32", METADATA),
    ("192.0.0.192/32", METADATA),
    ("fd00:ec2::254/128", METADATA),
    ("fd00:ec2::253/128", METADATA),
    ("fd00:ec2::123/128", METADATA),
    ("fd00:ec2::23/128", METADATA),
    ("fd20:ce::254/128", METADATA),
    ("fd00:c1::a9fe:a9fe/128", METADATA),
    ("fd00:42::42/128", METADATA),
    ("0.0.0.0/8", "an address of this network"),
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "a carrier-grade NAT address"),
    ("127.0.0.0/8", "a loopback address"),
    ("169.254.0.0/16", "a link-local address"),
    ("172.16.0.0/12", "a private address"),
    ("192.0.0.0/24", "an address of the IETF protocol assignments"),
    ("192.0.2.0/24", "a documentation address"),
    ("192.31.196.0/24", "an AS112 address"),
    ("192.52.193.0/24", "an AMT relay address"),
    ("192.88.99.0/24", "a 6to4 relay address"),
    ("192.168.0.0/16", "a private address"),
    ("192.175.48.0/24", "an AS112 address"),
    ("198.18.0.0/15", "a benchmarking address"),
    ("198.51.100.0/24", "a documentation address"),
    ("203.0.113.0/24", "a documentation address"),
    ("224.0.0.0/4", "a multicast address"),
    ("255.255.255.255/32", "the broadcast address"),
    ("240.0.0.0/4", "a reserved address"),
    ("::/128", "the unspecified address"),
    ("::1/128", "a loopback address"),
    ("::ffff:0:0/96", "an IPv4-mapped address"),
    ("::/96", "an IPv4-compatible address"),
    ("::ffff:0:0:0/96", "an IPv4-translated address"),
    ("64:ff9b::/96", "a NAT64 address"),
    ("64:ff9b:1::/48", "a local NAT64 address"),
    ("100::/64", "a discard-only address"),
    ("100:0:0:1::/64", "a dummy address"),
    ("2001::/32", "a Teredo address"),
    ("2001:2::/48", "a benchmarking address"),
    ("2001:3::/32", "an AMT relay address"),
    ("2001:4:112::/48", "an AS112 address"),
    ("2001:10::/28", "an ORCHID address"),
    ("2001:20::/28", "an ORCHID address"),
    ("2001:30::/28", "a drone identification address"),
    ("2001::/23", "an address of the IETF protocol assignments"),
    ("2001:db8::/32", "a documentation address"),
    ("2002::/16", "a 6to4 address"),
    ("2620:4f:8000::/48", "an AS112 address"),
    ("3fff::/20", "a documentation address"),
    ("5f00::/16", "a segment routing address"),
    ("fc00::/7", "a private address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a site-local address"),
    ("ff00::/8", "a multicast address"),
)
ISATAP = "an ISATAP address"
NOT_ALLOCATED = "an address outside the global unicast range"

_CLASSES: tuple[tuple[Network, str], ...] = tuple((ip_network(text), name) for text, name in TABLE)
_GLOBAL_V6 = IPv6Network("2000::/3")
_LOW_32 = (IPv6Network("::ffff:0:0/96"), IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), IPv6Network("64:ff9b::/96"))
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_6TO4 = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_MAPPED = _LOW_32[0]
_ISATAP_MARKS = frozenset({0x00005EFE, 0x02005EFE})


def parse(text: str) -> Address | None:
    """The address that `text` spells in full, or None. No zone, no octal, no short forms."""
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def literal(host: str) -> str | None:
    """The canonical text of a host that is a literal address, without brackets; None for a name."""
    if host[-1:].isalpha() and ":" not in host:
        return None  # a name, as most hosts are
    address = parse(host)
    return None if address is None else str(address)


def forms(address: str) -> tuple[str, ...]:
    """The canonical text of an address, and of the IPv4 address that it carries, which may be what is reached by it."""
    parsed = parse(address)
    if parsed is None:
        return ()
    inner = _carried(parsed)
    return (str(parsed),) if inner is None else (str(parsed), str(inner))


def refusal(address: str, allow_private: Sequence[str]) -> str | None:
    """Why `address` may not be dialled, in words that name its class; None if it may. `allow_private`: ranges in CIDR form."""
    if "%" in address:
        return f"{address} has a zone"
    parsed = parse(address)
    if parsed is None:
        return f"{address!r} is not an address"
    found = _refused(parsed, _networks(tuple(allow_private)))
    return None if found is None else f"{parsed} is {found}"


def _refused(address: Address, allowed: tuple[Network, ...]) -> str | None:
    name = _class(address)
    if name is None:
        return None
    inner = _carried(address)
    if inner is None:
        return None if _lifted(address, name, allowed) else name
    within = _refused(inner, allowed)
    if within is not None:
        return f"{name} that carries {inner}, {within}"
    mapped_and_named = address in _MAPPED and any(inner in network for network in allowed)
    return None if mapped_and_named or _lifted(address, name, allowed) else name


def _class(address: Address) -> str | None:
    for network, name in _CLASSES:
        if network.version == address.version and address in network:
            return name
    if isinstance(address, IPv6Address):
        if address not in _GLOBAL_V6:
            return NOT_ALLOCATED
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP_MARKS:
            return ISATAP
    return None


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address inside a transition form; None for the unspecified and the loopback address, which are no such form."""
    if isinstance(address, IPv4Address):
        return None
    value = int(address)
    if value <= 1:
        return None
    if any(address in network for network in _LOW_32):
        return IPv4Address(value & 0xFFFFFFFF)
    if address in _LOCAL_NAT64:
        # RFC 6052, section 2.2, for a /48: bits 48-63 and 72-87, round the reserved octet. A /96 carved from it ends in the
        # address.
        split = (value >> 64 & 0xFFFF) << 16 | value >> 40 & 0xFFFF
        return IPv4Address(split if value & 0xFFFFFFFF == 0 or value & 0xFFFFFFFFFF == 0 else value & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address(value >> 80 & 0xFFFFFFFF)
    if address in _TEREDO:
        return IPv4Address(~value & 0xFFFFFFFF)
    if value >> 32 & 0xFFFFFFFF in _ISATAP_MARKS:
        return IPv4Address(value & 0xFFFFFFFF)
    return None


def _lifted(address: Address, name: str, allowed: tuple[Network, ...]) -> bool:
    inside = [network for network in allowed if network.version == address.version and address in network]
    if name == METADATA:
        return any(network.num_addresses == 1 for network in inside)
    return bool(inside)


@lru_cache(maxsize=64)
def _networks(ranges: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in ranges)
