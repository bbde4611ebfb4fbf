"""docs/catalogs.md says of each catalog that ships where it is from, how much it holds and how it scored."""

import re
from pathlib import Path

from tests.catalogs.score import SAMPLES
from tests.catalogs.shipped import SERVICES, facts_of

TEXT = (Path(__file__).parents[2] / "docs" / "catalogs.md").read_text()


def rows() -> dict[str, list[str]]:
    found = re.search(r"^## What ships\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines() if line.startswith("|")]
    return {cells[0].strip("`"): cells[1:] for cells in lines[2:]}


def test_every_catalog_has_its_row_and_its_samples() -> None:
    assert list(rows()) == list(SERVICES)
    assert set(SERVICES) <= set(SAMPLES)


def test_a_row_says_the_package_and_how_many_operations_the_facts_hold() -> None:
    said = {service: cells[:2] for service, cells in rows().items()}
    counts = {service: sum(len(section.operations) for section in facts_of(service).sections) for service in SERVICES}
    assert said == {service: [facts_of(service).source, f"{counts[service]:,}"] for service in SERVICES}


def test_what_is_not_wholly_right_has_its_reason() -> None:
    assert [service for service, (*_, percent, why) in rows().items() if percent != "100" and not why] == []
