"""The compiled rules and the Rego, run by the real OPA, agree with the slow reference."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firewall.compile import compile_rules
from firewall.document import Document
from firewall.policy import _rule_data
from tests.reference.matcher import glob, judge

ROOT = Path(__file__).parents[2]

HOSTS = ["example.com", "a.example.com", "a.b.example.com", "com", "10.0.0.1", "2001:db8::1", "xn--bcher-kva.de", "example.org"]
HOST_GLOBS = [*HOSTS, "*.example.com", "**.example.com", "**", "*", "a.*", "*.*.com", "ex*.com", "10.0.*.*", "**example.com"]
PATHS = ["/", "/repos", "/repos/", "/repos/o", "/repos/o/r", "/repos/o/r/issues", "/Repos/o", "/a b/ü", "/re\npos/o", "/x.y+z"]
PATH_GLOBS = [
    "/",
    "/**",
    "**",
    "/repos",
    "/repos/*",
    "/repos/**",
    "/repos/*/r",
    "/repos/o/**",
    "/re*",
    "/*/o",
    "/a b/*",
    "/x.y+z",
    "/**/r",
]
METHODS = ["GET", "POST", "get", "PURGE", ""]
METHOD_GLOBS = ["GET", "POST", "*", "P*", "**"]
OTHERS = [(), (), (), ("DELETE",), ("PURGE",), ("get", "POST"), ("?",)]
REFS = ["main,dev", "dev,a", "rel,ease", "main,rel,ease", "", "dev,,dev"]
RESOURCES = [{}, {"owner": "acme"}, {"owner": "acme", "refs": "main"}, *({"refs": refs} for refs in REFS)]
OWNER_GLOBS = ["acme", "a*", "other"]
REF_GLOBS = ["main", "dev", "d*", "rel*ease", "rel,ease", "*", "**", "rel"]
AGENTS = ["bot", "build-1", "build-", "x.y"]
AGENT_GLOBS = ["bot", "build-*", "*", "x.y", "b**t"]


def some(values: list[str]) -> st.SearchStrategy[tuple[str, ...] | None]:
    return st.none() | st.lists(st.sampled_from(values), min_size=1, max_size=3).map(tuple)


RULES = st.fixed_dictionaries(
    {
        "effect": st.sampled_from(["allow", "deny", "require_approval"]),
        "hosts": some(HOST_GLOBS),
        "methods": some(METHOD_GLOBS),
        "paths": some(PATH_GLOBS),
        "agents": some(AGENT_GLOBS),
        "operations": st.none() | st.just(("issues/*",)),
        "kinds": st.none() | st.just(("write", "unknown")),
        "risks": st.none() | st.just(("*",)),
        "resources": st.none()
        | st.dictionaries(st.just("owner"), st.sampled_from(OWNER_GLOBS).map(lambda glob: (glob,)), min_size=1)
        | st.dictionaries(st.just("refs"), st.lists(st.sampled_from(REF_GLOBS), min_size=1, max_size=2).map(tuple), min_size=1),
    }
)
DOCUMENTS = st.builds(
    lambda default, rules: Document.model_validate(
        {"version": 1, "default": default, "rules": tuple({"id": f"r{i}", **rule} for i, rule in enumerate(rules))}
    ),
    st.sampled_from(["deny", "require_approval", "allow"]),
    st.lists(RULES, max_size=24),
)


def question(
    host: str, method: str, path: str, agent: str, kind: str, source: str, others: tuple[str, ...], resource: dict[str, str]
) -> dict[str, Any]:
    action = {
        "agent": agent, "agent_id": "agt_1", "service": "github", "operation": "issues/create", "kind": kind, "risk": "low",
        "method": method, "methods": [method, *others], "resource": resource, "host": "" if source == "api" else host,
        "canonical_path": path, "source": source,
    }  # fmt: skip
    context = {"time": "2026-01-01T00:00:00Z", "source_ip": "", "counts": {}}
    return {"action": action, "agent": {"id": "agt_1", "name": agent}, "context": context, "findings": []}


QUESTIONS = st.lists(
    st.builds(
        question,
        st.sampled_from(HOSTS),
        st.sampled_from(METHODS),
        st.sampled_from(PATHS),
        st.sampled_from(AGENTS),
        st.sampled_from(["read", "write", "unknown"]),
        st.sampled_from(["proxy", "proxy", "api"]),
        st.sampled_from(OTHERS),
        st.sampled_from(RESOURCES),
    ),
    min_size=20,
    max_size=60,
)


@given(document=DOCUMENTS, questions=QUESTIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_opa_agrees_with_the_reference(
    document: Document, questions: list[dict[str, Any]], opa_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = compile_rules(document.default, tuple(_rule_data(rule) for rule in document.rules)) | {"revision": "sha256:x"}
    folder = tmp_path_factory.mktemp("opa")
    (folder / "data.json").write_text(json.dumps({"firewall": {"policy": data}}))
    (folder / "input.json").write_text(json.dumps({"batch": questions}))
    command = [
        str(opa_binary), "eval", "--format=raw", "--strict-builtin-errors", "--data", str(ROOT / "policies" / "firewall"),
        "--data", str(folder / "data.json"), "--input", str(folder / "input.json"), "data.firewall.decisions",
    ]  # fmt: skip
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert [(one["effect"], tuple(one["rules"])) for one in said] == [judge(document, one["action"]) for one in questions]


@pytest.mark.parametrize(
    ("pattern", "text", "stops", "expected"),
    [
        ("*.x", "x", ".", False),
        ("*.x", "a.x", ".", True),
        ("*.x", "a.b.x", ".", False),
        ("**.x", "a.b.x", ".", True),
        ("/repos/**", "/repos", "/", False),
        ("/repos/*", "/repos/a/b", "/", False),
        ("/repos/**", "/repos/a/b", "/", True),
    ],
)
def test_the_reference_reads_globs_as_the_contract_says(pattern: str, text: str, stops: str, expected: bool) -> None:
    assert glob(pattern, text, stops) is expected
