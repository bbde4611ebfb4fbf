"""Ruby's gems: files, and the API that publishes them (the RubyGems guides, "API")."""

import re
from typing import Final

from firewall.action import Kind
from firewall.classify.meaning import Meaning
from firewall.classify.packages.asked import Asked

_GEM: Final = re.compile(r"([\w.-]+?)-([0-9][\w.]*)(?:-[\w.-]+)?\.gem", re.ASCII)


def read(asked: Asked) -> Meaning | None:
    found = _GEM.fullmatch(asked.last)
    if asked.reads and found is not None and "gems" in asked.path:
        return asked.means("download", package=found[1], version=found[2])
    match (asked.method, *asked.path[-4:]):
        case ("POST", "api", "v1", "gems"):
            return asked.means("push", Kind.WRITE)
        case ("DELETE", "api", "v1", "gems", "yank"):
            query = dict(asked.subject.query)
            return asked.means("yank", Kind.DELETE, package=query.get("gem_name", ""), version=query.get("version", ""))
        case ("POST" | "DELETE", "v1", "gems", name, "owners"):
            return asked.means("owner", Kind.WRITE, package=name)
        case _:
            return None
