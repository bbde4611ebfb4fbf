"""Rules as the data that Rego reads quickly: found by host and method, not by a scan (measured: docs/policy.md).

```json
{"default": "deny", "default_reason": "no rule allows this", "default_terms": {"quorum": 1, "…": "…"},
 "rules": {"github-reads": {"effect": "allow", "reason": "Reads are fine", "approval": {},
                            "tests": [{"field": "canonical_path", "pattern": "(?s)^(?:/repos/.*)$"}],
                            "resources": [{"name": "owner", "pattern": "(?s)^(?:acme)(?:,(?:acme))*$"}]}},
 "index": {"api.github.com": {"GET": {"": ["github-reads"]}}, ".example.com": {"GET": {"": ["github-reads"]}}},
 "suffix_labels": [2], "path_segments": [0]}
```

A rule stands in `index` under each host it names in full, under a dot and the literal end of each host glob, or under nothing
if it names no host; there under each method, or under `*` if a method is a glob or none is named; there under the literal
beginning of each path, if many rules share a host and method, else under nothing. What the index does not say, `tests` do:
each test's field of the action must match its pattern, and so must each of the resources; one that the action does not have
matches nothing.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from firewall.globs import host_regex, host_suffix, is_glob, method_regex, path_prefix, path_regex, resource_regex, text_regex
from firewall.verdict import Terms

ANY = "*"

CROWD = 8
"""How many rules may share a host and method before their paths are looked up too: a test costs about 10 µs, a look-up 3."""

PATH_SEGMENTS = 2

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
    resources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    approval: Mapping[str, Any] = field(default_factory=dict)


def compile_rules(default: str, rules: tuple[RuleData, ...]) -> dict[str, Any]:
    """The data but for `destinations` and `revision`. The order of `rules` does not show in it."""
    ordered = sorted(rules, key=lambda rule: rule.id)
    crowds = Counter(key for rule in ordered for key in product(_host_keys(rule), _method_keys(rule)))
    depths = range(PATH_SEGMENTS + 1) if max(crowds.values(), default=0) > CROWD else range(1)
    index: dict[str, dict[str, dict[str, list[str]]]] = {}
    for rule in ordered:
        for host, method, path in product(_host_keys(rule), _method_keys(rule), _path_keys(rule, depths[-1])):
            index.setdefault(host, {}).setdefault(method, {}).setdefault(path, []).append(rule.id)
    return {
        "default": default,
        "default_reason": _DEFAULT_REASONS[default],
        "default_terms": {**asdict(Terms()), "approvers": list(Terms().approvers)},
        "rules": {rule.id: _rule(rule) for rule in ordered},
        "index": index,
        "suffix_labels": sorted({len(key[1:].split(".")) if key != "." else 0 for key in index if key.startswith(".")}),
        "path_segments": list(depths),
    }


def naming_rules(index: Mapping[str, Any]) -> frozenset[str]:
    """The ids of the rules that say by name which hosts they mean. A glob with no literal end, as `**`, names none."""
    nameless = {rule for host in ("", ".") for paths in index.get(host, {}).values() for ids in paths.values() for rule in ids}
    every = {rule for methods in index.values() for paths in methods.values() for ids in paths.values() for rule in ids}
    return frozenset(every - nameless)


def _host_keys(rule: RuleData) -> tuple[str, ...]:
    if rule.hosts is None:
        return ("",)
    return tuple(dict.fromkeys("." + host_suffix(glob) if is_glob(glob) else glob for glob in rule.hosts))


def _method_keys(rule: RuleData) -> tuple[str, ...]:
    if rule.methods is None or any(is_glob(method) for method in rule.methods):
        return (ANY,)
    return tuple(dict.fromkeys(rule.methods))


def _path_keys(rule: RuleData, depth: int) -> tuple[str, ...]:
    if rule.paths is None:
        return ("",)
    return tuple(dict.fromkeys(path_prefix(glob, depth) for glob in rule.paths))


def _rule(rule: RuleData) -> dict[str, Any]:
    tests: list[dict[str, str]] = []
    if rule.hosts is not None and any(is_glob(host) for host in rule.hosts):
        tests.append({"field": "host", "pattern": host_regex(rule.hosts)})
    if rule.methods is not None and ANY in _method_keys(rule):
        tests.append({"field": "method", "pattern": method_regex(rule.methods)})
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
    # Of a list an allow speaks of every part; what holds or denies, of any.
    every = rule.effect == "allow"
    return {
        "effect": rule.effect,
        "reason": rule.reason or f"the rule {rule.id} {_EFFECT_WORDS[rule.effect]}",
        "approval": dict(rule.approval),
        "tests": tests,
        "resources": [
            {"name": name, "pattern": resource_regex(globs, all_parts=every)} for name, globs in sorted(rule.resources.items())
        ],
    }


def canonical_json(value: Any) -> bytes:
    """ASCII, sorted keys, no blanks. For strings, integers, booleans, null, lists and mappings."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def revision_of(data: Mapping[str, Any], modules: Mapping[str, str]) -> str:
    """`sha256:` and 64 hexadecimal digits, over the data without its revision and over every Rego module."""
    digests = {path: hashlib.sha256(text.encode("utf-8")).hexdigest() for path, text in modules.items()}
    return "sha256:" + hashlib.sha256(canonical_json({"data": data, "modules": digests})).hexdigest()
