"""Rules as the data that Rego reads quickly: found by host and method, not by a scan (measured: docs/policy.md).

```json
{"default": "deny", "default_reason": "no rule allows this",
 "rules": {"github-reads": {"effect": "allow", "reason": "Reads are fine", "approval": {}, "host": "(?s)^(?:…)$",
                            "tests": [{"field": "canonical_path", "pattern": "(?s)^(?:/repos/.*)$"}]}},
 "index": {"hosts": {"api.github.com": {"GET": ["github-reads"]}}, "suffixes": {"example.com": {"GET": ["github-reads"]}},
           "anywhere": {}}}
```

A rule stands in `index.hosts` under each host it names in full, in `index.suffixes` under the literal end of each host glob, or
in `index.anywhere` if it names no host; there under each method, or under `*` if a method is a glob or none is named. What the
index does not say, `host` (for rules found by suffix) and `tests` do: each test's field of the action must match its pattern.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from firewall.globs import host_regex, host_suffix, is_glob, path_regex, text_regex
from firewall.verdict import Terms

ANY = "*"

_EFFECT_WORDS = {"allow": "allows this", "deny": "denies this", "require_approval": "asks for approval"}
_DEFAULT_REASONS = {
    "deny": "no rule allows this",
    "require_approval": "no rule speaks of this, so it needs approval",
    "allow": "no rule forbids this",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """`data`: JSON values only; what OPA sees at `data.firewall.policy`, with `revision` in it."""

    revision: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleData:
    """A rule whose globs are checked and spelled as requests are. None: not named, so everything matches."""

    id: str
    effect: str
    reason: str | None = None
    agents: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    methods: tuple[str, ...] | None = None
    paths: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    risks: tuple[str, ...] | None = None
    approval: Mapping[str, Any] = field(default_factory=dict)


def compile_rules(default: str, rules: tuple[RuleData, ...]) -> dict[str, Any]:
    """The data but for `destinations` and `revision`. The order of `rules` does not show in it."""
    hosts: dict[str, dict[str, list[str]]] = {}
    suffixes: dict[str, dict[str, list[str]]] = {}
    anywhere: dict[str, list[str]] = {}
    for rule in sorted(rules, key=lambda rule: rule.id):
        buckets: dict[int, dict[str, list[str]]] = {}
        for bucket in [anywhere] if rule.hosts is None else _buckets(rule.hosts, hosts, suffixes):
            buckets[id(bucket)] = bucket
        for bucket in buckets.values():
            for method in _methods(rule):
                bucket.setdefault(method, []).append(rule.id)
    return {
        "default": default,
        "default_reason": _DEFAULT_REASONS[default],
        "default_terms": _json(asdict(Terms())),
        "rules": {rule.id: _rule(rule) for rule in rules},
        "index": {"hosts": hosts, "suffixes": suffixes, "anywhere": anywhere},
    }


def _buckets(
    globs: tuple[str, ...], hosts: dict[str, dict[str, list[str]]], suffixes: dict[str, dict[str, list[str]]]
) -> list[dict[str, list[str]]]:
    return [
        suffixes.setdefault(host_suffix(glob), {}) if is_glob(glob) else hosts.setdefault(glob, {})
        for glob in dict.fromkeys(globs)
    ]


def _methods(rule: RuleData) -> tuple[str, ...]:
    if rule.methods is None or any(is_glob(method) for method in rule.methods):
        return (ANY,)
    return tuple(dict.fromkeys(rule.methods))


def _rule(rule: RuleData) -> dict[str, Any]:
    tests: list[dict[str, str]] = []
    if rule.methods is not None and ANY in _methods(rule):
        tests.append({"field": "method", "pattern": text_regex(rule.methods)})
    if rule.paths is not None:
        tests.append({"field": "canonical_path", "pattern": path_regex(rule.paths)})
    for name, globs in (
        ("agent", rule.agents),
        ("service", rule.services),
        ("operation", rule.operations),
        ("kind", rule.kinds),
        ("risk", rule.risks),
    ):
        if globs is not None:
            tests.append({"field": name, "pattern": text_regex(globs)})
    return {
        "effect": rule.effect,
        "reason": rule.reason or f"the rule {rule.id} {_EFFECT_WORDS[rule.effect]}",
        "approval": dict(rule.approval),
        "host": host_regex(rule.hosts) if rule.hosts is not None else "",
        "tests": tests,
    }


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def canonical_json(value: Any) -> bytes:
    """ASCII, sorted keys, no blanks. For strings, integers, booleans, null, lists and mappings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def revision_of(data: Mapping[str, Any], modules: Mapping[str, str]) -> str:
    """`sha256:` and 64 hexadecimal digits, over the data without its revision and over every Rego module."""
    digests = {path: hashlib.sha256(text.encode("utf-8")).hexdigest() for path, text in modules.items()}
    return "sha256:" + hashlib.sha256(canonical_json({"data": data, "modules": digests})).hexdigest()
