"""The names under which a policy document says that a host speaks something (`dialects`, docs/policy.md): protocols that a path
alone does not give away, and the services whose catalogs ship."""

from functools import cache
from importlib.resources import files

PROTOCOLS = frozenset(
    {"git", "mcp", "graphql", "openai", "anthropic", "gemini", "aws"}
    | {"npm", "pypi", "oci", "go", "cargo", "maven", "nuget", "gem"}  # package registries
)
_NAMED_BY_FORM = frozenset({"http", "grpc", "oauth"})
"""Services that classifiers name wherever they meet them, so that nobody need say where."""

SUFFIX = ".facts"


@cache
def shipped_services() -> frozenset[str]:
    """The services whose fact files ship; each file is named after its service."""
    folder = files("firewall.classify").joinpath("facts")
    if not folder.is_dir():
        return frozenset()
    return frozenset(entry.name.removesuffix(SUFFIX) for entry in folder.iterdir() if entry.name.endswith(SUFFIX))


def names() -> frozenset[str]:
    return PROTOCOLS | shipped_services()


def reserved() -> frozenset[str]:
    """What no user's catalog may be called: rules on these names speak of what a protocol says, not of what somebody described."""
    return (PROTOCOLS | _NAMED_BY_FORM) - shipped_services()


def dialect(name: str) -> str:
    """Raises ValueError for a name that nothing here is called by."""
    if name not in names():
        raise ValueError(f"{name}: no such dialect or service; there are {', '.join(sorted(names()))}")
    return name
