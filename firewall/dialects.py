"""The names under which a policy document says that a host speaks something (`dialects`, docs/policy.md): protocols that a path
alone does not give away, and the services whose catalogs ship."""

from functools import cache
from importlib.resources import files

PROTOCOLS = frozenset(
    {"git", "mcp", "graphql", "grpc", "oauth", "openai", "anthropic", "gemini", "aws", "slack"}
    | {"pypi", "npm", "cargo", "rubygems", "maven", "go", "nuget", "oci", "docker", "debian", "conda", "composer", "helm", "hex"}
)

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


def dialect(name: str) -> str:
    """Raises ValueError for a name that nothing here is called by."""
    if name not in names():
        raise ValueError(f"{name}: no such dialect or service; there are {', '.join(sorted(names()))}")
    return name
