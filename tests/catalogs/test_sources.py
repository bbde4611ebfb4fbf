"""The table of sources and the facts say the same."""

from firewall.classify.catalog.openapi_described import Described
from firewall.classify.catalog.openapi_servers import Place
from tests.catalogs.shipped import SERVICES, facts_of
from tools.catalog.packages import Package
from tools.catalog.sources import SOURCES
from tools.catalog.vendors import DOCKER, KUBERNETES


def test_every_catalog_has_one_source_and_names_its_packages() -> None:
    assert sorted(SOURCES) == list(SERVICES)
    missing = [
        (service, str(package))
        for service, source in SOURCES.items()
        for package in source.packages
        if f"{package.name} {package.version}" not in facts_of(service).source
    ]
    assert missing == []


def test_a_package_lies_in_a_folder_of_its_name_and_version() -> None:
    def folder(registry: str, name: str, version: str) -> str:
        return Package(registry=registry, name=name, version=version).folder

    assert folder("npm", "@octokit/openapi", "23.0.2") == "octokit-openapi-23.0.2"
    assert folder("Go", "github.com/DataDog/datadog-api-client-go/v2", "v2.67.0") == "datadog-api-client-go-v2.67.0"
    assert folder("PyPI source", "openai", "3.54.0") == "openai-3.54.0"
    assert str(Package(registry="PyPI source", name="openai", version="3.54.0")) == "PyPI openai 3.54.0"


def operation(path: str) -> Described:
    return Described(method="GET", path=path, name="x", places=(Place(hosts=("a.dev",), base=""),), extensions={})


def test_a_proxied_path_may_be_empty() -> None:
    assert KUBERNETES.reshape is not None
    paths = [each.path for each in KUBERNETES.reshape(operation("/api/v1/nodes/{name}/proxy/{+path}"))]
    assert paths == ["/api/v1/nodes/{name}/proxy/{+path}", "/api/v1/nodes/{name}/proxy/"]


def test_names_of_images_hold_slashes_and_those_of_networks_do_not() -> None:
    assert DOCKER.reshape is not None
    paths = [each.path for path in ("/images/{name}/json", "/volumes/{name}") for each in DOCKER.reshape(operation(path))]
    assert paths == ["/images/{+name}/json", "/volumes/{name}"]


def test_what_was_lowered_is_what_was_reviewed() -> None:
    """A POST that ships as a read: so many of each vendor were looked at. Another number: look at them again."""
    found = {}
    for service in ("datadog", "jira", "kubernetes", "notion", "plaid", "sendgrid", "snyk", "square"):
        operations = {each for section in facts_of(service).sections for each in section.operations}
        found[service] = len({each for each in operations if each.method == "POST" and each.kind == "read"})
    assert found == {
        "datadog": 48, "jira": 10, "kubernetes": 5, "notion": 2, "plaid": 95, "sendgrid": 4, "snyk": 15, "square": 17,
    }  # fmt: skip
    others = set(SERVICES) - set(found) - {"anthropic", "aws", "cloudflare", "google", "openai", "slack", "telegram"}
    lowered = [
        (service, each.operation)
        for service in sorted(others)
        for section in facts_of(service).sections
        for each in section.operations
        if each.method not in {"GET", "HEAD", "OPTIONS"} and each.kind == "read"
    ]
    assert lowered == []
