"""Go's module proxy protocol and checksum database (go.dev/ref/mod, "GOPROXY protocol", "Checksum database")."""

import re
from typing import Final

from firewall.classify.meaning import Meaning
from firewall.classify.packages.asked import Asked

_FILE: Final = re.compile(r"(v[0-9][\w.+!-]*|[\w.-]+)\.(info|mod|zip|ziphash)", re.ASCII)
_BANG: Final = re.compile(r"!([a-z])")


def read(asked: Asked) -> Meaning | None:
    if not asked.reads:
        return None
    match asked.path:
        case (*module, "@latest") if module:
            return asked.means("latest", package=_module(module))
        case (*module, "@v", "list") if module:
            return asked.means("list", package=_module(module))
        case (*module, "@v", file) if module and (found := _FILE.fullmatch(file)):
            operation = "download" if found[2] == "zip" else found[2]
            return asked.means(operation, package=_module(module), version=_capitals(found[1]))
        case ("sumdb", *_) | ("latest",) | ("tile", *_) if asked.named:
            return asked.means("checksum")
        case ("lookup", *module) if asked.named and module:
            package, _, version = "/".join(module).partition("@")
            return asked.means("checksum", package=_capitals(package), version=_capitals(version))
        case _:
            return None


def _module(parts: list[str]) -> str:
    """A module's path begins with a host; a proxy may lie below a path of its own."""
    first = next((place for place, part in enumerate(parts) if "." in part), 0)
    return _capitals("/".join(parts[first:]))


def _capitals(text: str) -> str:
    """`!azure` stands for `Azure`."""
    return _BANG.sub(lambda match: match[1].upper(), text)
