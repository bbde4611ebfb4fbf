"""OPA's answer as a Verdict, strictly: whatever deviates from the contract's shape is no answer.

A revision that is missing and an obligation that this version does not know are denials (SEMANTICS 1.5); the rest is
`Nonsense`.
"""

from typing import Any

from firewall.action import Risk
from firewall.verdict import Allow, Deny, Hold, Terms, Verdict

KEYS = frozenset({"effect", "revision", "reason", "rules", "risk", "approval", "obligations"})
WITHOUT_REVISION = KEYS - {"revision"}
TERMS_REQUIRED = frozenset({"quorum", "approvers", "expires_in"})
TERMS_KEYS = TERMS_REQUIRED | {"grant_for"}
RISKS = frozenset(Risk)
MAX_TEXT = 4_096
MAX_LIST = 20_000
MAX_SECONDS = 366 * 86_400

NO_REVISION = "the policy's answer names no revision"
UNKNOWN_OBLIGATION = "the policy asks for an obligation this version does not know"


class Nonsense(Exception):
    """The policy engine's answer is not one. The message says what is wrong with it, never what it holds."""


def verdict(result: object) -> Verdict:
    """The verdict that one decision document spells. Raises Nonsense."""
    if not isinstance(result, dict):
        raise Nonsense("it is no decision")
    if result.keys() != KEYS and result.keys() != WITHOUT_REVISION:
        raise Nonsense("its keys are not those of a decision")
    effect = result["effect"]
    if effect not in ("allow", "deny", "require_approval"):
        raise Nonsense("its effect is unknown")
    reason = _text(result["reason"])
    rules = _texts(result["rules"])
    if not isinstance(result["risk"], str) or result["risk"] not in RISKS:
        raise Nonsense("its risk is unknown")
    terms = _terms(result["approval"])
    obligations = result["obligations"]
    if not isinstance(obligations, dict):
        raise Nonsense("its obligations are no mapping")
    revision = result.get("revision", "")
    if not isinstance(revision, str) or len(revision) > MAX_TEXT:
        raise Nonsense("its revision is no text")
    if revision == "":
        return Deny(reason=NO_REVISION, rules=rules)
    if obligations and effect != "deny":
        return Deny(reason=UNKNOWN_OBLIGATION, rules=rules, revision=revision)
    match effect:
        case "allow":
            return Allow(reason=reason, rules=rules, revision=revision)
        case "require_approval":
            return Hold(reason=reason, rules=rules, revision=revision, terms=terms)
        case _:
            return Deny(reason=reason, rules=rules, revision=revision)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
        raise Nonsense("a text is missing or too long")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise Nonsense("a list is missing or too long")
    return tuple([_text(item) for item in value])


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise Nonsense("a number is missing or out of range")
    return value


_cached: tuple[object, Terms] | None = None


def _terms(value: Any) -> Terms:
    global _cached
    if _cached is not None and _cached[0] == value and type(value) is dict:
        return _cached[1]  # the defaults, nearly always
    if not isinstance(value, dict) or not TERMS_REQUIRED <= value.keys() <= TERMS_KEYS:
        raise Nonsense("its approval terms are not whole")
    approvers = _texts(value["approvers"])
    if not approvers:
        raise Nonsense("its approval terms name no approver")
    expires_in = _whole(value["expires_in"], MAX_SECONDS)
    terms = Terms(
        quorum=_whole(value["quorum"], 1_000),
        approvers=approvers,
        expires_in=expires_in,
        grant_for=min(_whole(value.get("grant_for", Terms().grant_for), MAX_SECONDS), expires_in),
    )
    _cached = (value, terms)
    return terms
