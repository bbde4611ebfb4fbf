"""Every trap that was measured has its test wherever it can occur, so that an upgrade cannot bring it back:
`tests/vectors/traps.json` says which, or why it cannot occur there. A test that is renamed takes its entry along."""

import ast
import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
TRAPS: list[dict[str, Any]] = json.loads((ROOT / "tests" / "vectors" / "traps.json").read_text())
CARRIERS = ("http1", "http2", "websocket", "tunnel")
"""What carries an agent's bytes. `tunnel`: a host that is passed through."""
SURFACES = (*CARRIERS, "start", "postgres", "opa")
NUMBERED = 26
"""How many of them are about mitmproxy's security; the others have names."""
REGO = ("regopy", "regorus", "rego-python", "pyrego")

each = pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap["trap"])


@cache
def functions(file: str) -> frozenset[str]:
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def listed(trap: dict[str, Any]) -> Iterator[str]:
    for tests in trap["tests"].values():
        yield from tests


def test_the_numbered_ones_are_all_there_in_their_order_and_each_has_a_name_of_its_own() -> None:
    slugs = [trap["trap"] for trap in TRAPS]
    assert [slug for slug in slugs if slug.isdigit()] == [str(number) for number in range(1, NUMBERED + 1)]
    assert len(set(slugs)) == len(slugs)
    names = [trap["name"] for trap in TRAPS]
    assert len(set(names)) == len(names)


@each
def test_a_trap_names_tests_that_are_there(trap: dict[str, Any]) -> None:
    missing = []
    for test in listed(trap):
        file, _, name = test.partition("::")
        if not name.startswith("test_") or name not in functions(file):
            missing.append(test)
    assert missing == []
    assert [surface for surface, tests in trap["tests"].items() if not tests or len(set(tests)) != len(tests)] == []


@each
def test_a_trap_has_tests_on_a_surface_or_a_reason_against_it_and_never_both(trap: dict[str, Any]) -> None:
    tests, reasons = trap["tests"], trap.get("why_not", {})
    assert set(tests) | set(reasons) <= set(SURFACES)
    assert set(tests).isdisjoint(reasons)
    assert tests or reasons
    assert [surface for surface, reason in reasons.items() if len(reason.split()) < 4] == []
    if trap["trap"].isdigit():
        assert [surface for surface in CARRIERS if surface not in tests and surface not in reasons] == []
        assert tests


# --- traps that are about what is installed ------------------------------------------------------------------------------


def test_the_versions_that_were_measured_are_the_ones_installed() -> None:
    """uvloop 0.23 fails on CPython 3.13; every other mitmproxy has seams that nobody looked at."""
    assert (version("mitmproxy"), version("uvloop")) == ("12.2.3", "0.21.0")


def test_no_other_engine_of_rego_is_a_dependency() -> None:
    """Some turn deny into allow. OPA itself decides, and nothing else."""
    for lock in ("requirements.lock", "requirements-dev.lock"):
        packages = {line.partition("==")[0].lower() for line in (ROOT / lock).read_text().splitlines() if "==" in line}
        assert len(packages) > 30
        assert packages.isdisjoint(REGO)
