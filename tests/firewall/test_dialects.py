import re
from pathlib import Path

import pytest

from firewall.dialects import PROTOCOLS, SUFFIX, dialect, names, shipped_services

ROOT = Path(__file__).parents[2]
CLASSIFIERS = ROOT / "firewall" / "classify"


def test_every_dialect_that_a_classifier_asks_for_can_be_named() -> None:
    asked = {
        name for path in CLASSIFIERS.rglob("*.py") for name in re.findall(r"\.speaks\(\s*\"([a-z0-9._-]+)\"", path.read_text())
    }
    assert asked <= names()


def test_every_service_that_ships_can_be_named() -> None:
    shipped = {path.name.removesuffix(SUFFIX) for path in (CLASSIFIERS / "facts").glob(f"*{SUFFIX}")}
    assert shipped_services() == shipped
    assert names() == PROTOCOLS | shipped


def test_a_name_that_nothing_is_called_by_is_refused_with_those_that_are() -> None:
    assert dialect("git") == "git"
    with pytest.raises(ValueError, match=r"gti: no such dialect or service; there are .*\bgit\b"):
        dialect("gti")
