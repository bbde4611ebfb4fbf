"""`python -m tools.catalog generate|score [SERVICE…]`, and `… score collection`: documents that do not ship."""

import sys

from firewall.classify.catalog.facts import Facts, print_facts
from tools.catalog.sources import FACTS, SOURCES

USAGE = f"usage: python -m tools.catalog generate|score [SERVICE…]\nservices: {' '.join(sorted(SOURCES))}"


def main(arguments: list[str]) -> int:
    word, *services = arguments or [""]
    unknown = [service for service in services if service not in SOURCES and (word, service) != ("score", "collection")]
    if word not in {"generate", "score"} or unknown:
        print(USAGE, *(f"unknown: {service}" for service in unknown), sep="\n", file=sys.stderr)
        return 2
    chosen = services or sorted(SOURCES)
    if word == "generate":
        for service in chosen:
            generate(service)
        return 0
    from tests.catalogs.score import score, score_collection  # scores need what tests need, facts do not

    imperfect = score([service for service in chosen if service != "collection"])
    if not services or "collection" in services:
        score_collection()
    return min(imperfect, 1)


def generate(service: str) -> None:
    source = SOURCES[service]
    facts = source.generate(source.folder())
    text = print_facts(facts)
    FACTS.mkdir(exist_ok=True)
    path = FACTS / f"{service}.facts"
    before = path.read_text() if path.exists() else ""
    path.write_text(text)
    said = "unchanged" if before == text else "new" if not before else "changed"
    print(f"{service}: {_count(facts)} operations, {len(text) >> 10} KiB, {said}")


def _count(facts: Facts) -> int:
    return len({(section.base, each) for section in facts.sections for each in section.operations})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
