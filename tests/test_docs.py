"""The documents say what the code does: everything of the code stands in them, and nothing stands in them that is gone."""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo
from typer.main import get_command

from addons import PATH
from cli.app import app
from control_api.callers import EVERYONE, Role
from control_api.faults import Fault
from control_api.routes import ROUTES
from firewall.audit.entry import Event
from firewall.errors import Refused
from firewall.settings import LATER, names

ROOT = Path(__file__).parents[1]
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
INVARIANTS = (ROOT / "docs" / "invariants.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
METRICS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}
SOURCES = ("addons", "control_api", "firewall", "gateway", "worker")
LONGEST_LINE, LONGEST_DECISION = 180, 45

named = pytest.mark.parametrize("document", DOCS, ids=lambda path: str(path.relative_to(ROOT)))


def section(heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/reference.md has no section {heading}"
    return found[1]


def rows(heading: str) -> list[tuple[str, ...]]:
    """The cells of the section's table, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines[2:]]


def every[K: Exception](kind: type[K]) -> list[type[K]]:
    """The kinds below one, without what tests make up."""
    found = [each for child in kind.__subclasses__() for each in (child, *every(child))]
    return [each for each in found if not each.__module__.startswith("tests.")]


# --- docs/reference.md, against the code ------------------------------------------------------------------------------------


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "computed"
    match field.default:
        case None | "":
            return "none"
        case bool() as said:
            return "`yes`" if said else "`no`"
        case value:
            return f"`{value}`"


def test_every_setting_is_listed_with_its_default_and_its_meaning() -> None:
    expected = [(f"`{name}`", _default(field), field.description) for name, field in names().items()]
    assert rows("Settings") == expected


def test_settings_that_are_refused_in_this_version_are_named() -> None:
    said = section("Settings").split("\n\n|")[0]
    assert set(re.findall(r"`([A-Z_]+)`", said)) >= LATER


def test_every_route_is_listed_with_its_roles_and_what_it_does() -> None:
    expected = []
    for route in ROUTES:
        roles = "everyone" if route.roles == EVERYONE else ", ".join(role for role in Role if role in route.roles)
        expected.append((f"`{route.method} {route.path}`", roles, route.summary))
    assert rows("Routes") == expected


def test_every_event_is_listed_with_who_writes_it_and_when() -> None:
    listed = rows("Events")
    assert [row[0] for row in listed] == [f"`{event.value}`" for event in Event]
    assert [row for row in listed if len(row) != 3 or not all(row)] == []


def test_every_error_of_the_proxy_is_listed_with_its_status() -> None:
    expected = {(f"`{kind.code}`", str(kind.status), kind.decision, kind.title()) for kind in every(Refused)}
    listed = rows("Errors of the proxy")
    assert set(listed) == expected
    assert len(listed) == len(expected)


def test_every_error_of_the_control_api_is_listed_with_its_status() -> None:
    kinds: list[type[Fault]] = [Fault, *every(Fault)]
    expected = {(f"`{kind.code}`", str(kind.status), kind.title()) for kind in kinds}
    listed = rows("Errors of the control API")
    assert set(listed) == expected
    assert len(listed) == len(expected)


def _usage(path: tuple[str, ...], command: Any) -> str:
    before, after, behind = ["aaf", *path], list[str](), list[str]()
    for each in command.params:
        if each.param_type_name == "argument":
            word = each.metavar or each.name.upper()
            (behind if word.startswith("--") else before).append(word)
        elif not each.hidden:
            flag = max(each.opts, key=len)
            after.append(flag if each.required else f"[{flag}]")
    return " ".join([*before, *after, *behind])


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from _commands(child, (*path, name))
    else:
        yield f"`{_usage(path, command)}`", " ".join(command.help.split())


def test_every_command_is_listed_with_its_options_and_what_it_does() -> None:
    assert sorted(rows("Commands")) == sorted(_commands(get_command(app)))


def test_every_entrypoint_of_the_policies_is_listed(opa_binary: Path) -> None:
    shown = subprocess.run([opa_binary, "inspect", "-a", "-f", "json", ROOT / "policies"], capture_output=True, check=True)
    expected = {
        "`" + ".".join(part["value"] for part in each["path"]) + "`"
        for each in json.loads(shown.stdout)["annotations"]
        if each["annotations"].get("entrypoint")
    }
    assert {row[0] for row in rows("Policy entrypoints")} == expected


def _calls(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """Every metric that a module makes: its name as it is scraped, kind, labels, help."""
    for node in ast.walk(ast.parse(path.read_text())):
        kind = METRICS.get(getattr(node.func, "id", "")) if isinstance(node, ast.Call) else None
        if not isinstance(node, ast.Call) or kind is None or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        given = [ast.literal_eval(argument) for argument in node.args]
        name = given[0].removesuffix("_total") + ("_total" if kind == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in given[2]) if len(given) > 2 else ""
        yield f"`{name}`", kind, labels, given[1]
    for name, kind in re.findall(r"# TYPE (aaf_\w+) (\w+)", path.read_text()):
        yield f"`{name}`", kind, "", ""


def test_every_metric_is_listed_with_its_kind_and_its_labels() -> None:
    made = [metric for package in SOURCES for path in sorted((ROOT / package).rglob("*.py")) for metric in _calls(path)]
    assert len(made) > 10
    listed = {row[0]: row for row in rows("Metrics")}
    assert len(listed) == len(rows("Metrics"))
    assert {name: row[1:3] for name, row in listed.items()} == {name: (kind, labels) for name, kind, labels, _ in made}
    assert {name: listed[name][3] for name, _, _, help_ in made if help_} == {name: help_ for name, _, _, help_ in made if help_}
    assert [row for row in listed.values() if not row[3]] == []


# --- the other documents ----------------------------------------------------------------------------------------------------


def test_every_invariant_names_the_tests_that_hold_it() -> None:
    parts = re.split(r"^## (?=\d+\. )", INVARIANTS, flags=re.MULTILINE)[1:]
    assert [part.split(".")[0] for part in parts] == [str(number) for number in range(1, 9)]
    missing, gone = [], []
    for part in parts:
        held = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", part)
        if not held:
            missing.append(part.splitlines()[0])
        for file, test in held:
            path = ROOT / file
            if not path.is_file() or not re.search(rf"^(?:async )?def {test}\(", path.read_text(), re.MULTILINE):
                gone.append(f"{file}::{test}")
    assert (missing, gone) == ([], [])


def test_every_table_of_the_database_is_in_the_architecture() -> None:
    schema = (ROOT / "firewall" / "backends" / "postgres" / "schema.sql").read_text()
    made = set(re.findall(r"^create (?:unlogged )?table aaf\.(\w+) \(", schema, re.MULTILINE))
    data = (ROOT / "docs" / "architecture.md").read_text().split("## Data")[1]
    assert {name for row in re.findall(r"^\| (`.*?) \|", data, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)} == made


def test_every_step_of_the_path_is_in_the_architecture_in_its_order() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text().split("## The path of a request")[1].split("## ")[0]
    assert re.findall(r"^\| (\w+) \|", table, re.MULTILINE)[1:] == [step.name for step in PATH]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [path.name[:5] for path in DECISIONS] == [f"{number:04}-" for number in range(1, len(DECISIONS) + 1)]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_a_page_of_context_decision_and_consequences(decision: Path) -> None:
    text = decision.read_text()
    assert re.match(rf"# {int(decision.name[:4])}\. \S", text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= LONGEST_DECISION


@named
def test_every_file_that_a_document_names_is_there(document: Path) -> None:
    """In backquotes, from the root: `firewall/errors.py`, or a folder with a slash behind it."""
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    quoted = re.findall(r"`([\w.-]+(?:/[\w.-]+)*/?)(?:::\w+)?`", text)
    files = [name for name in quoted if "/" in name and re.search(r"\.(?:py|sql|rego|md|ya?ml|json|sh)$|/$", name)]
    beside = [ROOT, ROOT / "deploy"]
    assert [name for name in files if not any((folder / name).exists() for folder in beside)] == []


@named
def test_every_link_in_a_document_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@named
def test_a_document_has_lines_that_can_be_read(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    assert [line for line in text.splitlines() if len(line) > LONGEST_LINE and not line.startswith("|")] == []


def test_the_readme_leads_to_every_document() -> None:
    text = (ROOT / "README.md").read_text()
    lone = [path for path in DOCS if path.parent == ROOT / "docs"]
    assert [path.name for path in lone if f"docs/{path.name}" not in text] == []
