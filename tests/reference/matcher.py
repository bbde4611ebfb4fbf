"""The slow, obvious reading of a policy document: every rule, every glob, one after another. The compiled data and the Rego
must agree with it."""

from collections.abc import Mapping
from typing import Any

from firewall.document import Document, Rule


def glob(pattern: str, text: str, stops: str) -> bool:
    """`*` stands for any characters but `stops`, `**` for any."""
    if pattern == "":
        return text == ""
    if pattern.startswith("**"):
        return any(glob(pattern[2:], text[i:], stops) for i in range(len(text) + 1))
    if pattern.startswith("*"):
        for i in range(len(text) + 1):
            if glob(pattern[1:], text[i:], stops):
                return True
            if i < len(text) and text[i] in stops:
                return False
        return False
    return text != "" and pattern[0] == text[0] and glob(pattern[1:], text[1:], stops)


def resource(globs: tuple[str, ...], value: str, effect: str) -> bool:
    """An allow speaks of every part of a list; what denies or holds, of any part, or of several side by side."""
    parts = value.split(",")
    runs = {(i, j): ",".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)}
    if effect != "allow":
        return any(glob(pattern, run, "") for pattern in globs for run in runs.values())
    covered = {0}
    for i in range(len(parts)):
        if i in covered:
            for j in range(i + 1, len(parts) + 1):
                if any(glob(pattern.replace("**", "*"), runs[i, j], ",") for pattern in globs):
                    covered.add(j)
    return len(parts) in covered


def matches(rule: Rule, action: Mapping[str, Any], method: str) -> bool:
    def one(globs: tuple[str, ...] | None, text: str, stops: str = "") -> bool:
        return globs is None or any(glob(pattern, text, stops) for pattern in globs)

    if rule.hosts is not None and action["source"] == "api":
        return False
    return (
        one(rule.hosts, action["host"], ".:")
        and one(rule.methods, method.upper())
        and one(rule.paths, action["canonical_path"], "/")
        and one(rule.agents, action["agent"])
        and one(rule.services, action["service"])
        and one(rule.operations, action["operation"])
        and one(rule.kinds, action["kind"])
        and one(rule.risks, action["risk"])
        and all(
            name in action["resource"] and resource(globs, action["resource"][name], rule.effect)
            for name, globs in (rule.resources or {}).items()
        )
    )


def judge(document: Document, action: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The effect and the ids of the rules that made it, sorted."""
    methods = {action["method"], *action["methods"]}
    matched = [
        rule
        for rule in document.rules
        if (all if rule.effect == "allow" else any)(matches(rule, action, method) for method in methods)
    ]
    for effect in ("deny", "require_approval", "allow"):
        winners = tuple(sorted(rule.id for rule in matched if rule.effect == effect))
        if winners:
            return effect, winners
    return document.default, ()
