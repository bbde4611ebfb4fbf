"""`tests/` mirrors the tree: a module's tests stand where the module does, and nothing else stands there."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("addons", "benchmarks", "certs", "cli", "control_api", "firewall", "gateway", "worker")
FREE = ("attacks", "catalogs", "conformance", "contracts", "e2e", "reference", "vectors")
"""Folders of tests that mirror nothing: attacks, scores of the catalogs, suites of others, several implementations of one port, the
whole system, slow references, data."""

ELSEWHERE = {
    # contracts: the real backend and the one in memory pass the same tests
    "firewall/ports.py": "contracts/test_ledger.py",
    "firewall/catalogs.py": "contracts/test_catalogs.py",
    "firewall/backends/postgres/catalogs.py": "contracts/test_catalogs.py",
    "firewall/backends/memory/catalogs.py": "contracts/test_catalogs.py",
    "firewall/backends/memory/directory.py": "contracts/test_ledger.py",
    "firewall/backends/memory/ledger.py": "contracts/test_ledger.py",
    "firewall/backends/memory/state.py": "contracts/test_approvals.py",
    "firewall/backends/postgres/ledger.py": "contracts/test_ledger.py",
    "firewall/backends/postgres/changes.py": "contracts/test_ledger.py",
    "firewall/backends/postgres/approvals.py": "contracts/test_approvals.py",
    "firewall/backends/postgres/migrate.py": "contracts/test_schema.py",
    # the command line, run as its users run it
    "cli/actions.py": "e2e/test_up.py",
    "cli/agents.py": "e2e/test_up.py",
    "cli/app.py": "e2e/test_up.py",
    "cli/approvals.py": "e2e/test_up.py",
    "cli/audit.py": "e2e/test_up.py",
    "cli/bootstrap.py": "e2e/test_up.py",
    "cli/ca.py": "e2e/test_up.py",
    "cli/catalog.py": "e2e/test_up.py",
    "cli/client.py": "e2e/test_up.py",
    "cli/configuration.py": "e2e/test_up.py",
    "cli/database.py": "e2e/test_up.py",
    "cli/keys.py": "e2e/test_up.py",
    "cli/output.py": "e2e/test_up.py",
    "cli/policy.py": "e2e/test_up.py",
    "cli/processes.py": "e2e/test_up.py",
    "cli/session.py": "e2e/test_up.py",
    "cli/up.py": "e2e/test_up.py",
}
"""Modules whose tests stand elsewhere, and where."""


def modules() -> list[str]:
    """Every module that holds code of its own."""
    found = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return sorted(str(path.relative_to(ROOT)) for path in found if path.name != "__main__.py" and _has_code(path))


def _has_code(path: Path) -> bool:
    return any(line.startswith(("def ", "async def ", "class ", "@")) for line in path.read_text().splitlines())


def _test_of(module: str) -> Path:
    path = Path(module)
    name = path.parent.name if path.name == "__init__.py" else path.stem
    folder = path.parent.parent if path.name == "__init__.py" else path.parent
    return ROOT / "tests" / folder / f"test_{name}.py"


def test_every_module_has_its_tests() -> None:
    missing = []
    for module in modules():
        listed = ELSEWHERE.get(module)
        test = ROOT / "tests" / listed if listed is not None else _test_of(module)
        if not test.is_file():
            missing.append(f"{module}: no {test.relative_to(ROOT)}")
    assert missing == []


def test_nothing_is_listed_elsewhere_that_has_its_own_tests_or_is_gone() -> None:
    known = set(modules())
    assert [module for module in ELSEWHERE if module not in known or _test_of(module).exists()] == []


def test_every_test_stands_where_its_module_does() -> None:
    expected = {_test_of(module) for module in modules()}
    strays = []
    for package in PACKAGES:
        for test in (ROOT / "tests" / package).rglob("test_*.py"):
            if test not in expected:
                strays.append(str(test.relative_to(ROOT)))
    assert strays == []


def test_there_is_no_other_folder_of_tests() -> None:
    allowed = {*PACKAGES, *FREE, "deploy"}
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= allowed
