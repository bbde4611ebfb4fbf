"""The policy document: one YAML text that people edit (CONTRACT: Policy; SEMANTICS 6), checked here by line.

Whatever is not understood is an error, never ignored: an ignored key widens an allow. `firewall.compile` turns a document into
the data that Rego reads; `docs/policy.md` is the guide.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from firewall import yaml_text
from firewall.action import Kind, Risk
from firewall.compile import Compiled, RuleData, compile_rules, naming_rules, revision_of
from firewall.document import Document, Rule, range_text
from firewall.egress import Destinations
from firewall.globs import host_glob

SCHEMA_ID = "urn:aaf:schema:policy"
MAX_PROBLEMS = 100
LATER_KEYS = frozenset({"body"})
DEFAULT_PORTS = (80, 443)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong, and where. `line` counts from 1; `path` is such as `rules[2].hosts[0]`."""

    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.message}" if self.path else f"line {self.line}: {self.message}"


class BadPolicy(Exception):
    """The policy document is refused. `problems`, by line, is never empty."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


def load(text: str) -> Document:
    """The document that `text` spells. Raises BadPolicy."""
    try:
        parsed = yaml_text.parse(text)
    except yaml_text.BadYaml as error:
        raise BadPolicy((Problem(line=error.line, path="", message=error.message),)) from None
    if not isinstance(parsed.value, dict):
        raise BadPolicy((Problem(line=parsed.line(()), path="", message="a policy is a mapping: version, default, rules"),))
    problems: list[Problem] = []
    document: Document | None = None
    try:
        document = Document.model_validate(_tuples(parsed.value))
    except ValidationError as error:
        # A list whose items are wrong is called too short as well: only an empty one is.
        details = [
            d for d in error.errors(include_url=False) if d["input"] is not None and (d["type"] != "too_short" or not d["input"])
        ]
        problems = [_problem(detail, parsed) for detail in details]
    problems += [*_nothing(parsed.value, (), parsed), *_twice(parsed)]
    if document is None or problems:
        problems.sort(key=lambda problem: problem.line)
        raise BadPolicy(tuple(problems[:MAX_PROBLEMS]))
    return document


def _tuples(value: Any) -> Any:
    """Strict validation takes no list for a tuple."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _problem(detail: Mapping[str, Any], parsed: yaml_text.Parsed) -> Problem:
    # What is wrong with a key is said at the key.
    path: yaml_text.Path = tuple(part for part in detail["loc"] if isinstance(part, str | int) and part != "[key]")
    line = parsed.line(path)
    message = str(detail["msg"]).removeprefix("Value error, ")
    match detail["type"]:
        case "extra_forbidden":
            later = path[-1] in LATER_KEYS and len(path) == 3
            message = "this version does not support this key yet" if later else "there is no such key"
        case "missing":
            message = "required, and missing"
        case "too_short" | "string_too_short":
            message = "empty" if path[0] in {"destinations", "dialects"} else "empty: leave it out to match everything"
        case "model_type" | "model_attributes_type" | "dict_type":
            message = "must be a mapping"
        case "tuple_type":
            message = "must be a list"
        case "string_type":
            message = "must be text; put quotes round it"
        case "int_type":
            message = "must be a whole number"
        case "string_pattern_mismatch":
            message = "letters, digits and . _ : / - only, beginning with a letter or digit"
    return Problem(line=line, path=_spell(path), message=message)


def _spell(path: yaml_text.Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _nothing(value: Any, path: yaml_text.Path, parsed: yaml_text.Parsed) -> Iterator[Problem]:
    """Keys with no value. `hosts:` and nothing below it would read as left out, and match every host."""
    if value is None:
        yield Problem(line=parsed.line(path), path=_spell(path), message="nothing stands here: give a value, or leave the key out")
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield from _nothing(item, (*path, key), parsed)


def _twice(parsed: yaml_text.Parsed) -> list[Problem]:
    """Rule ids that stand in the text twice. On the raw value, so that other errors do not hide them."""
    rules = parsed.value.get("rules") if isinstance(parsed.value, dict) else None
    first: dict[str, int] = {}
    problems: list[Problem] = []
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        identifier = rule.get("id") if isinstance(rule, dict) else None
        if not isinstance(identifier, str):
            continue
        line = parsed.line(("rules", index, "id"))
        if identifier in first:
            message = f"`{identifier}` is the id of the rule on line {first[identifier]} already"
            problems.append(Problem(line=line, path=f"rules[{index}].id", message=message))
        first.setdefault(identifier, line)
    return problems


def compile_policy(document: Document, modules: Mapping[str, str]) -> Compiled:
    """What OPA sees at `data.firewall.policy`. The revision names the data and the Rego modules (path → text)."""
    data = compile_rules(document.default, tuple(_rule_data(rule) for rule in document.rules))
    given = document.destinations
    data["destinations"] = {
        "ports": sorted(set(given.ports or DEFAULT_PORTS)),
        "allow_private": sorted(set(given.allow_private or ())),
        # Only where they are named, so that a document without them keeps its revision.
        **{key: sorted(set(globs)) for key, globs in (("http2", given.http2), ("pass_through", given.pass_through)) if globs},
    }
    if document.dialects:
        data["dialects"] = {name: sorted(set(globs)) for name, globs in document.dialects.items()}
    revision = revision_of(data, modules)
    return Compiled(revision=revision, data={**data, "revision": revision})


def _rule_data(rule: Rule) -> RuleData:
    kinds, risks = rule.kinds, rule.risks
    return RuleData(
        id=rule.id,
        effect=rule.effect,
        reason=rule.reason,
        agents=rule.agents,
        hosts=rule.hosts,
        methods=rule.methods,
        paths=rule.paths,
        services=rule.services,
        operations=rule.operations,
        kinds=tuple(Kind) if kinds is not None and "*" in kinds else kinds,
        risks=tuple(Risk) if risks is not None and "*" in risks else risks,
        resources=rule.resources or {},
        approval=rule.approval.model_dump(exclude_none=True, mode="json") if rule.approval is not None else {},
    )


def destinations(data: Mapping[str, Any]) -> Destinations:
    """The part of compiled data that the gateway applies itself. Raises KeyError or ValueError for data that is not ours."""
    part = data["destinations"]
    return Destinations(
        ports=frozenset(int(port) for port in part["ports"]),
        allow_private=tuple(range_text(text) for text in part["allow_private"]),
        http2=tuple(host_glob(text) for text in part.get("http2", ())),
        pass_through=tuple(host_glob(text) for text in part.get("pass_through", ())),
        naming_rules=naming_rules(data.get("index", {})),
        speakers={str(name): tuple(host_glob(text) for text in globs) for name, globs in data.get("dialects", {}).items()},
    )


@cache
def demo_document() -> str:
    """The policy that ships, for those who have none yet."""
    return files("policies").joinpath("demo.yaml").read_text("utf-8")


def modules() -> dict[str, str]:
    """The Rego that ships, without its tests: path in the bundle → text."""
    folder = files("policies").joinpath("firewall")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".rego"))
    return {f"firewall/{name}": folder.joinpath(name).read_text("utf-8") for name in names if not name.endswith("_test.rego")}


def schema() -> dict[str, Any]:
    """The JSON Schema that is published as `/v1/schemas/policy.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **Document.model_json_schema()}
