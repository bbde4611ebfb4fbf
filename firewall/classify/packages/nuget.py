"""NuGet's server API (learn.microsoft.com/nuget/api): package content, and push and delete by the key that a header carries."""

from firewall.action import Kind
from firewall.classify.meaning import Meaning
from firewall.classify.packages.asked import Asked


def read(asked: Asked) -> Meaning | None:
    path = asked.path
    if asked.reads:
        if len(path) >= 3 and asked.last.lower() == f"{path[-3]}.{path[-2]}.nupkg".lower():
            return asked.means("download", package=path[-3].lower(), version=path[-2])
        if asked.named and asked.last == "index.json":
            return asked.means("index", package=path[-2].lower() if len(path) > 2 else "")
        return None
    if not asked.named and asked.subject.field(b"x-nuget-apikey") is None:
        return None
    if asked.method == "PUT":
        return asked.means("push", Kind.WRITE)
    match path:
        case (*_, "api", "v2", "package", name, version):
            operation = "delete" if asked.method == "DELETE" else "relist"
            return asked.means(operation, Kind.WRITE, package=name.lower(), version=version)
        case _:
            return None
