import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

from firewall import classify
from firewall.classify.packages.dialects import READERS
from firewall.dialects import PROTOCOLS, SUFFIX, dialect, names, reserved, shipped_services

CLASSIFIERS = Path(classify.__file__).parent


def test_what_can_be_named_is_what_classifiers_ask_for_and_the_services_that_ship() -> None:
    modules = [import_module(each.name) for each in walk_packages(classify.__path__, "firewall.classify.")]
    asked = {dialect for module in modules for dialect in getattr(module, "DIALECTS", ())}
    asked |= {module.DIALECT for module in modules if hasattr(module, "DIALECT")}
    asked |= {name for name, _ in READERS}
    spelled = (re.findall(r"\.speaks\(\s*\"([a-z0-9._-]+)\"", path.read_text()) for path in CLASSIFIERS.rglob("*.py"))
    asked |= {name for found in spelled for name in found}
    assert asked | {"openai", "anthropic", "gemini"} == PROTOCOLS


def test_every_service_that_ships_can_be_named() -> None:
    shipped = {path.name.removesuffix(SUFFIX) for path in (CLASSIFIERS / "facts").glob(f"*{SUFFIX}")}
    assert shipped_services() == shipped
    assert names() == PROTOCOLS | shipped


def test_a_name_that_nothing_is_called_by_is_refused_with_those_that_are() -> None:
    assert dialect("git") == "git"
    with pytest.raises(ValueError, match=r"gti: no such dialect or service; there are .*\bgit\b"):
        dialect("gti")


def test_what_a_protocol_is_called_no_catalog_of_a_user_may_be() -> None:
    assert {"http", "git", "mcp", "graphql", "grpc", "oauth", "npm", "pypi"} <= reserved()
    assert not reserved() & shipped_services()
