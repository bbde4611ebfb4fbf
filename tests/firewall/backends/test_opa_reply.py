from typing import Any

import pytest

from firewall.backends.opa_reply import Nonsense, verdict
from firewall.verdict import Allow, Deny, Hold, Terms

APPROVAL = {"quorum": 2, "approvers": ["role:admin"], "expires_in": 60, "grant_for": 30}
WHOLE: dict[str, Any] = {
    "effect": "allow", "revision": "r", "reason": "why", "rules": ["a"], "risk": "low", "approval": APPROVAL, "obligations": {},
}  # fmt: skip


def test_each_effect_becomes_its_verdict() -> None:
    assert verdict(WHOLE) == Allow(reason="why", rules=("a",), revision="r")
    assert verdict({**WHOLE, "effect": "deny"}) == Deny(reason="why", rules=("a",), revision="r")
    terms = Terms(quorum=2, approvers=("role:admin",), expires_in=60, grant_for=30)
    assert verdict({**WHOLE, "effect": "require_approval"}) == Hold(reason="why", rules=("a",), revision="r", terms=terms)


def test_terms_without_grant_for_never_outlast_the_question() -> None:
    approval = {"quorum": 1, "approvers": ["x"], "expires_in": 60}
    held = verdict({**WHOLE, "effect": "require_approval", "approval": approval})
    assert isinstance(held, Hold)
    assert held.terms.grant_for == 60


def test_an_obligation_that_nobody_knows_denies() -> None:
    assert isinstance(verdict({**WHOLE, "obligations": {"x": 1}}), Deny)


@pytest.mark.parametrize("key", sorted(WHOLE.keys() - {"revision"}))
@pytest.mark.parametrize("value", [None, 7, True, [], ["x", 1], {"x": 1}, "", "x"])
def test_a_wrong_type_is_nonsense_or_no_allow(key: str, value: Any) -> None:
    odd = {**WHOLE, key: value}
    if (key, value) in [("reason", "x"), ("rules", [])]:
        assert isinstance(verdict(odd), Allow)
    elif (key, value) == ("obligations", {"x": 1}):
        assert isinstance(verdict(odd), Deny)
    else:
        with pytest.raises(Nonsense):
            verdict(odd)


@pytest.mark.parametrize("key", ["quorum", "approvers", "expires_in"])
def test_terms_that_are_not_whole_are_nonsense(key: str) -> None:
    for value in (None, 0, -1, True, "1", [], [1]):
        with pytest.raises(Nonsense):
            verdict({**WHOLE, "approval": {**APPROVAL, key: value}})
    with pytest.raises(Nonsense):
        verdict({**WHOLE, "approval": {k: v for k, v in APPROVAL.items() if k != key}})
