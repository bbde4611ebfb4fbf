"""Where an API is: `servers` of OpenAPI 3 (section 4.8.5, Server Object), `host` and `basePath` of Swagger 2 → host globs and base
paths. What names no certain place (a placeholder, a variable glued to other letters, a path alone) is Unusable, with its reason.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from ipaddress import ip_address
from itertools import product
from typing import Any

from firewall.classify.catalog.openapi_text import scalar
from firewall.globs import host_glob

MAX_CHOICES = 256
"""Spellings of one server that are written out; beyond it a variable is a glob or a parameter."""

MAX_VARIABLES = 10
MAX_URL = 2000
MAX_VALUE = 200
"""Characters of a server's url and of a variable's value."""

_URL = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*|\{[^{}/]*\}):)?//(?P<authority>[^/?#]*)(?P<path>[^?#]*)")
_BARE_HOST = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,}(?::[0-9]+)?(?:/|\Z)")
_PORT = re.compile(r":(?:[0-9]*|\{[^{}]*\})\Z")
_VARIABLE = re.compile(r"\{([^{}/]*)\}")
_PLACEHOLDERS = frozenset(
    {
        "example",
        "localhost",
        "placeholder",
        "changeme",
        "hostname",
        "mydomain",
        "my-domain",
        "mycompany",
        "mysite",
        "domain",
        "host",
    }
)
_YOURS = re.compile(r"(your|my)[-_].*|your(domain|company|host|server|instance|org|site|subdomain|account|tenant|app|url|name)?s?")
_SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "gob", "gov", "gouv", "ne", "net", "or", "org"})
_NOWHERE = re.compile(r"(.*\.)?(example(\.(com|org|net))?|invalid|test|localhost)")


class Unusable(ValueError):
    """A server that names no certain place; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`hosts`: globs, as in policies. `base`: path, empty or `/…` without a slash at its end; `{name}` stands for a part of it that
    the document leaves open."""

    hosts: tuple[str, ...]
    base: str


def places(server: Mapping[str, Any], hosts: tuple[str, ...] = ()) -> tuple[Place, ...]:
    """`hosts`: those that the operator names, in place of the document's. Raises Unusable."""
    url = server.get("url")
    if not isinstance(url, str) or len(url) > MAX_URL:
        raise Unusable("a server without a url, or with a very long one")
    if len(set(_VARIABLE.findall(url))) > MAX_VARIABLES:
        raise Unusable(f"more than {MAX_VARIABLES} variables")
    variables = _variables(server.get("variables"))
    found: dict[str, list[str]] = {}
    for text in _whole_urls(url.strip(), variables):
        authority, path = _split(text)
        named = hosts or tuple(_hosts(authority, variables, text))
        for base in _bases(path, variables):
            found.setdefault(base, []).extend(named)
    return tuple(Place(hosts=tuple(sorted(set(named))), base=base) for base, named in sorted(found.items()))


def _variables(given: Any) -> dict[str, tuple[tuple[str, ...], str | None]]:
    """name → (the only values, the default)."""
    found = {}
    for name, each in given.items() if isinstance(given, dict) else ():
        if isinstance(name, str) and isinstance(each, dict):
            listed = each.get("enum")
            few = listed if isinstance(listed, list) and len(listed) <= MAX_CHOICES else []
            values = tuple(dict.fromkeys(value for value in map(scalar, few) if len(value) <= MAX_VALUE))
            default = each.get("default")
            found[name] = (values, None if default is None else scalar(default)[:MAX_VALUE])
    return found


_Variables = Mapping[str, tuple[tuple[str, ...], str | None]]


def _whole_urls(url: str, variables: _Variables) -> Iterator[str]:
    """`{server}/v1`, where the variable holds scheme and host, and `https://api.test{base}`, where it begins with a slash."""
    for name in dict.fromkeys(_VARIABLE.findall(url)):
        values, default = variables.get(name, ((), None))
        spelled = values[:MAX_CHOICES] or ((default,) if default else ())
        first = url.startswith(f"{{{name}}}")
        if spelled and all(value.startswith("/") or (first and "//" in value) for value in spelled):
            for value in spelled:
                yield url.replace(f"{{{name}}}", value.rstrip("/"))
            return
    yield url


def _split(url: str) -> tuple[str | None, str]:
    """Authority (None in a relative URL, which is only a path) and path."""
    found = _URL.match(url)
    if found is not None:
        scheme = (found["scheme"] or "https").lower()
        if scheme not in {"http", "https", "ws", "wss"} and not scheme.startswith("{"):
            raise Unusable(f"{scheme[:20]}: is not HTTP")
        return found["authority"], found["path"]
    if _BARE_HOST.match(url):
        authority, slash, path = url.partition("/")
        return authority, slash + path
    return None, re.split("[?#]", url)[0]


def _hosts(authority: str | None, variables: _Variables, url: str) -> Iterator[str]:
    if authority is None:
        raise Unusable(f"{url[:100]!r} is a path alone; name the host")
    if "@" in authority:
        raise Unusable("a user in a server's url")
    authority = _PORT.sub("", authority)
    names = list(dict.fromkeys(_VARIABLE.findall(authority)))
    choices = [variables.get(name, ((), None))[0] or (None,) for name in names]
    if reduce(lambda total, each: total * len(each), choices, 1) > MAX_CHOICES:
        choices = [(None,) for _ in names]
    for values in product(*choices):
        text = authority
        for name, value in zip(names, values, strict=True):
            if value is not None:
                text = text.replace(f"{{{name}}}", value)
        yield _one_host(text, variables)


def _one_host(text: str, variables: _Variables) -> str:
    """Variables that are left: a glob for a whole label; but the host's own name is literal, so a default stands there."""
    open_ones = [found[1] for found in _VARIABLE.finditer(text)]
    while open_ones and not all(label and "{" not in label for label in _own_name(_labels(text))):
        name = open_ones.pop()
        default = variables.get(name, ((), None))[1]
        if not default or "{" in default:
            raise Unusable(f"{text[:100]!r}: a variable where the host's own name stands")
        text = text.replace(f"{{{name}}}", default)
    labels = _labels(text)
    for i, label in enumerate(labels):
        if _VARIABLE.fullmatch(label):
            labels[i] = "*"
        elif "{" in label or "}" in label:
            raise Unusable(f"{text[:100]!r}: a variable glued to other letters could be any host")
    return certain_host(".".join(labels))


def _own_name(labels: list[str]) -> list[str]:
    """What somebody registered, and all of it: the last two labels, three below `co.uk` and the like."""
    below_a_country = len(labels) > 1 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL
    return labels[-3:] if below_a_country else labels[-2:]


def _labels(text: str) -> list[str]:
    return text.split(".") if not text.startswith("[") else [text]


def certain_host(text: str) -> str:
    """The canonical glob. Raises Unusable for what is no host, or one that documents use for `your host here`."""
    text = text.strip().rstrip(".")
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        address = None
    if address is not None:
        if address.is_loopback or address.is_unspecified:
            raise Unusable(f"{text} is a placeholder; name the host")
        return str(address)
    try:
        host = host_glob(text)
    except ValueError as error:
        raise Unusable(str(error)[:200]) from None
    labels = host.split(".")
    if len(labels) < 2 or any("*" in label for label in _own_name(labels)) or "**" in host:
        raise Unusable(f"{host!r} is no full host name; name the host")
    if _NOWHERE.fullmatch(host) or any(label in _PLACEHOLDERS or _YOURS.fullmatch(label) for label in labels[:-1]):
        raise Unusable(f"{host!r} is a placeholder; name the host")
    return host


def _bases(path: str, variables: _Variables) -> Iterator[str]:
    """A variable with a list of values is written out; another is a parameter, for any value may stand there."""
    names = list(dict.fromkeys(_VARIABLE.findall(path)))
    choices: list[tuple[str, ...]] = []
    for name in names:
        values, default = variables.get(name, ((), None))
        several = default is not None and ("/" in default or not default)
        choices.append(values or ((default or "",) if several else (f"{{{name}}}",)))
    if reduce(lambda total, each: total * len(each), choices, 1) > MAX_CHOICES:
        choices = [(f"{{{name}}}",) for name in names]
    for values in product(*choices):
        text = path
        for name, value in zip(names, values, strict=True):
            text = text.replace(f"{{{name}}}", value)
        parts = [part for part in text.split("/") if part]
        yield "".join(f"/{part}" for part in parts)
