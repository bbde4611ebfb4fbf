"""The policy document is read strictly, and every error has its line."""

import json
import subprocess
from pathlib import Path

import pytest

from firewall import policy
from firewall.egress import Destinations
from firewall.policy import BadPolicy, compile_policy, demo_document, destinations, load, modules

FULL = """\
version: 1
default: require_approval
rules:
  - id: github-reads
    effect: allow
    agents: ["build-*"]
    hosts: ["API.github.com", "*.example.com"]
    methods: [GET, HEAD]
    paths: ["/repos/**"]
    services: [github]
    operations: ["issues/*"]
    kinds: [read]
    risks: [low, medium]
    resources: {owner: [acme, "team-*"], repo: ["*"]}
    reason: Reads are fine
  - id: held
    effect: require_approval
    approval: {expires_in: 2h, grant_for: 90, quorum: 2, approvers: ["role:admin"]}
dialects:
  mcp: ["*.Tools.example", mcp.example]
  pypi: [packages.example]
destinations:
  ports: [443, 8443]
  allow_private: ["10.1.2.0/24"]
  http2: ["grpc.example.com", "**"]
  pass_through: ["*.Pinned.example"]
"""


def problems(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(BadPolicy) as refused:
        load(text)
    return [(problem.line, problem.path, problem.message) for problem in refused.value.problems]


def rule(lines: str) -> str:
    return f"version: 1\nrules:\n  - id: a\n    effect: deny\n    {lines}\n"


def test_every_key_of_the_contract_is_read() -> None:
    document = load(FULL)
    first, second = document.rules
    assert first.hosts == ("api.github.com", "*.example.com")
    assert second.approval is not None
    assert (second.approval.expires_in, second.approval.grant_for, second.approval.quorum) == (7200, 90, 2)
    data = compile_policy(document, modules()).data
    assert destinations(data) == Destinations(
        ports=frozenset({443, 8443}),
        allow_private=("10.1.2.0/24",),
        http2=("**", "grpc.example.com"),
        pass_through=("*.pinned.example",),
        naming_rules=frozenset({"github-reads"}),
        speakers={"mcp": ("*.tools.example", "mcp.example"), "pypi": ("packages.example",)},
    )


def test_destinations_that_an_older_revision_does_not_know_are_left_out() -> None:
    found = destinations({"destinations": {"ports": [443], "allow_private": []}})
    assert found == Destinations(ports=frozenset({443}))
    assert not found.prefers_http2("a.example")
    assert not found.passes_through("a.example")


def test_a_document_that_names_no_such_hosts_keeps_its_revision() -> None:
    data = compile_policy(load("version: 1\n"), {}).data
    assert set(data["destinations"]) == {"ports", "allow_private"}
    assert "dialects" not in data


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("a.pinned.example", True),
        ("pinned.example", False),
        ("a.b.pinned.example", False),
        ("a.pinned.example\n", False),
        ("::1", False),
    ],
)
def test_hosts_are_passed_through_by_their_globs(host: str, passes: bool) -> None:
    found = destinations(compile_policy(load(FULL), {}).data)
    assert found.passes_through(host) is passes
    assert found.prefers_http2(host)


def test_a_rule_names_its_hosts_only_if_every_glob_of_it_has_a_literal_end() -> None:
    rules = "".join(
        f"  - {{id: {name}, effect: allow, {hosts}}}\n"
        for name, hosts in (
            ("full", "hosts: [a.example]"),
            ("glob", 'hosts: ["*.example"]'),
            ("all", 'hosts: ["**"]'),
            ("mixed", 'hosts: [a.example, "a.*"]'),
            ("none", "methods: [GET]"),
        )
    )
    assert destinations(compile_policy(load("version: 1\nrules:\n" + rules), {}).data).naming_rules == {"full", "glob"}


def test_destinations_left_out_are_the_web_ports_and_no_private_range() -> None:
    assert destinations(compile_policy(load("version: 1\n"), {}).data) == Destinations()


@pytest.mark.parametrize(
    ("text", "line", "path", "word"),
    [
        ("rules: []\n", 1, "version", "required"),
        ("version: 2\n", 1, "version", "1"),
        ("version: '1'\n", 1, "version", "1"),
        ("version: true\n", 1, "version", "1"),
        ("version: 1\ndefault: maybe\n", 2, "default", "deny"),
        ("version: 1\nrule: []\n", 2, "rule", "no such key"),
        ("version: 1\nrules: {}\n", 2, "rules", "list"),
        ("version: 1\nrules:\n  - x\n", 3, "rules[0]", "mapping"),
        (rule("body: true"), 5, "rules[0].body", "not support"),
        (rule("resources: {a: b}"), 5, "rules[0].resources.a", "list"),
        (rule("resources: {a: []}"), 5, "rules[0].resources.a", "empty"),
        (rule("resources: {}"), 5, "rules[0].resources", "empty"),
        (rule("resources: [a]"), 5, "rules[0].resources", "mapping"),
        (rule("resources:\n      a: [b]\n      'c*': [d]"), 7, "rules[0].resources.c*", "only its values are globs"),
        (rule("resources: {a: ['x?']}"), 5, "rules[0].resources.a[0]", "only * is special"),
        (rule("resources: {a: }"), 5, "rules[0].resources.a", "nothing stands here"),
        ("version: 1\ndialects: {}\n", 2, "dialects", "empty"),
        ("version: 1\ndialects: [git]\n", 2, "dialects", "mapping"),
        ("version: 1\ndialects:\n  git: [a.b]\n  gitt: [a.b]\n", 4, "dialects.gitt", "no such dialect or service"),
        ("version: 1\ndialects: {git: []}\n", 2, "dialects.git", "empty"),
        ("version: 1\ndialects: {git: a.b}\n", 2, "dialects.git", "list"),
        ("version: 1\ndialects: {git: ['a.b:443']}\n", 2, "dialects.git[0]", "without port"),
        ("version: 1\ndialects: {git: ['**']}\n", 2, "dialects.git[0]", "too wide"),
        ("version: 1\ndialects: {git: ['git.*']}\n", 2, "dialects.git[0]", "too wide"),
        (rule("host: [a]"), 5, "rules[0].host", "no such key"),
        (rule("hosts: []"), 5, "rules[0].hosts", "empty"),
        (rule("hosts: a.b"), 5, "rules[0].hosts", "list"),
        (rule("hosts:\n      - a.b\n      - x:80"), 7, "rules[0].hosts[1]", "without port"),
        (rule("agents: [1]"), 5, "rules[0].agents[0]", "text"),
        (rule("agents: ['']"), 5, "rules[0].agents[0]", "empty"),
        (rule("methods: [get]"), 5, "rules[0].methods[0]", "GET"),
        (rule("hosts:"), 5, "rules[0].hosts", "nothing stands here"),
        (rule("hosts: [~]"), 5, "rules[0].hosts[0]", "nothing stands here"),
        ("version: 1\ndestinations: {ports: }\n", 2, "destinations.ports", "nothing stands here"),
        ("version: 1\nrules:\n", 2, "rules", "nothing stands here"),
        (rule("kinds: [reed]"), 5, "rules[0].kinds[0]", "read"),
        (rule("risks: [extreme]"), 5, "rules[0].risks[0]", "critical"),
        (rule("reason: ''"), 5, "rules[0].reason", "empty"),
        (rule("reason: \"a\\nb\""), 5, "rules[0].reason", "one line"),
        (rule("approval: {quorum: 1}"), 3, "rules[0]", "require_approval"),
        ("version: 1\nrules:\n  - id: a b\n    effect: deny\n", 3, "rules[0].id", "letters"),
        ("version: 1\nrules:\n  - effect: deny\n", 3, "rules[0].id", "required"),
        ("version: 1\nrules:\n  - {id: a, effect: deny}\n  - {id: a, effect: allow}\n", 4, "rules[1].id", "line 3"),
        ("version: 1\nrules:\n  - id: a\n    id: b\n    effect: deny\n", 4, "", "twice"),
        ("version: 1\ndestinations: {ports: []}\n", 2, "destinations.ports", "empty"),
        ("version: 1\ndestinations: {ports: [0]}\n", 2, "destinations.ports[0]", "1"),
        ("version: 1\ndestinations: {ports: [true]}\n", 2, "destinations.ports[0]", "whole number"),
        ("version: 1\ndestinations: {allow_private: [10.0.0.1/8]}\n", 2, "destinations.allow_private[0]", "host bits"),
        ("version: 1\ndestinations: {allow_private: [0.0.0.0/0]}\n", 2, "destinations.allow_private[0]", "too wide"),
        ("version: 1\ndestinations: {allow_private: [intranet]}\n", 2, "destinations.allow_private[0]", "intranet"),
        ("version: 1\ndestinations: {http2: []}\n", 2, "destinations.http2", "empty"),
        ("version: 1\ndestinations: {http2: ['a..b']}\n", 2, "destinations.http2[0]", "empty label"),
        ("version: 1\ndestinations: {pass_through: []}\n", 2, "destinations.pass_through", "empty"),
        ("version: 1\ndestinations: {pass_through: ['https://a.b']}\n", 2, "destinations.pass_through[0]", "without port"),
        ("version: 1\ndestinations: {pass_through: ['**']}\n", 2, "destinations.pass_through[0]", "too wide"),
        ("version: 1\ndestinations: {pass_through: ['a.*']}\n", 2, "destinations.pass_through[0]", "too wide"),
        ("- a\n", 1, "", "mapping"),
        ("", 1, "", "mapping"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_an_error_by_line(text: str, line: int, path: str, word: str) -> None:
    found = problems(text)
    assert len(found) == 1, found
    assert found[0][:2] == (line, path)
    assert word in found[0][2]


def test_all_errors_come_at_once_in_the_order_of_their_lines() -> None:
    found = problems("version: 1\nrules:\n  - id: a\n    effect: alow\n    hosts: ['a..b']\n    foo: 1\n")
    assert [line for line, _, _ in found] == [4, 5, 6]


@pytest.mark.parametrize("terms", ["{grant_for: 2d}", "{expires_in: 1h, grant_for: 2h}", "{expires_in: 0}", "{expires_in: 1w}",
                                   "{quorum: 0}", "{approvers: []}", "{expires_in: 999d}", "{quorum: true}"])  # fmt: skip
def test_terms_that_cannot_be_are_refused(terms: str) -> None:
    assert problems(f"version: 1\nrules:\n  - id: a\n    effect: require_approval\n    approval: {terms}\n")


def test_the_revision_names_the_document_and_the_rego_and_not_the_order_of_rules() -> None:
    a, b = "  - {id: a, effect: deny}\n", "  - {id: b, effect: allow}\n"
    one = compile_policy(load("version: 1\nrules:\n" + a + b), {"firewall/x.rego": "package firewall"})
    other = compile_policy(load("version: 1\nrules:\n" + b + a), {"firewall/x.rego": "package firewall"})
    assert one == other
    assert one.data["revision"] == one.revision
    assert compile_policy(load("version: 1\nrules:\n" + a), {"firewall/x.rego": "package firewall"}).revision != one.revision
    assert compile_policy(load("version: 1\nrules:\n" + a + b), {"firewall/x.rego": "package other"}).revision != one.revision


def test_the_demo_document_and_the_shipped_modules_are_whole() -> None:
    assert {rule.id for rule in load(demo_document()).rules} == {"demo-reads", "demo-changes", "demo-other-methods"}
    assert sorted(modules()) == [f"firewall/{name}.rego" for name in ("approval", "decision", "match", "whole")]


def test_the_published_schema_names_every_key() -> None:
    text = json.dumps(policy.schema())
    for key in (
        "agents",
        "hosts",
        "methods",
        "paths",
        "services",
        "operations",
        "kinds",
        "risks",
        "approval",
        "allow_private",
        "resources",
        "dialects",
    ):
        assert f'"{key}"' in text


POLICIES = Path(__file__).parents[2] / "policies"


def test_the_rego_is_formatted_strict_and_passes_its_own_tests(opa_binary: Path) -> None:
    folders = [str(POLICIES / "firewall"), str(POLICIES / "system")]
    for command in (
        ["fmt", "--fail", "--list", *folders],
        ["check", "--strict", "--capabilities", str(POLICIES / "capabilities.json"), *folders],
        ["test", *folders],
    ):
        done = subprocess.run([str(opa_binary), *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("call", ['http.send({"method": "get", "url": "http://x"})', 'net.lookup_ip_addr("x")', "opa.runtime()"])
def test_rego_that_would_reach_out_is_refused(call: str, opa_binary: Path, tmp_path: Path) -> None:
    module = tmp_path / "x.rego"
    module.write_text(f"package firewall\n\nx := {call}\n")
    command = [str(opa_binary), "check", "--capabilities", str(POLICIES / "capabilities.json"), str(module)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "undefined function" in done.stderr + done.stdout
