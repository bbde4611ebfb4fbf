"""What ships, as a gateway knows it."""

from functools import cache
from pathlib import Path

from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import Facts, parse_facts, revision_of
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.known import Known

FACTS = Path(__file__).parents[2] / "firewall" / "classify" / "facts"
SERVICES = tuple(sorted(path.stem for path in FACTS.glob("*.facts")))


@cache
def facts_of(service: str) -> Facts:
    return parse_facts((FACTS / f"{service}.facts").read_text())


@cache
def shipped(services: tuple[str, ...] = SERVICES) -> Known:
    catalogs = [(facts_of(service), revision_of((FACTS / f"{service}.facts").read_text())) for service in services]
    speakers = {service: (host,) for service, host in OPERATORS.items()}
    return Known(shipped=BinaryIndex(build(catalogs)), speakers=speakers)


OPERATORS = {"docker": "docker.operator.internal", "github": "github.operator.internal", "kubernetes": "k8s.operator.internal"}
"""Hosts that the operator of these tests names."""
