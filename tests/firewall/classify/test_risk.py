"""Risk comes from the kind, rises with what was reviewed, and never falls."""

from dataclasses import replace

import pytest

from firewall.action import RISK_ORDER, Kind, Risk
from firewall.classify.meaning import Meaning
from firewall.classify.risk import DESCRIBED, UNDESCRIBED, risk_of

NAMED = Meaning(service="a", operation="b", kind=Kind.READ)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_risk_and_what_nobody_described_is_no_milder(kind: Kind) -> None:
    assert risk_of(NAMED, kind) is UNDESCRIBED[kind]
    assert risk_of(replace(NAMED, sure=True), kind) is DESCRIBED[kind]
    assert RISK_ORDER.index(UNDESCRIBED[kind]) >= RISK_ORDER.index(DESCRIBED[kind])


def test_unknown_is_at_least_medium_and_an_unknown_write_is_high() -> None:
    assert Risk.LOW not in UNDESCRIBED.values()
    assert UNDESCRIBED[Kind.WRITE] is Risk.HIGH
    assert DESCRIBED[Kind.UNKNOWN] is UNDESCRIBED[Kind.UNKNOWN] is Risk.CRITICAL


def test_a_classifier_may_raise_it_and_not_lower_it() -> None:
    assert risk_of(replace(NAMED, risk=Risk.HIGH), Kind.READ) is Risk.HIGH
    assert risk_of(replace(NAMED, risk=Risk.LOW), Kind.DELETE) is Risk.HIGH


def test_what_was_reviewed_raises_it_and_does_not_lower_it() -> None:
    gone = Meaning(service="github", operation="repos/delete", kind=Kind.DELETE, sure=True)
    assert risk_of(gone, Kind.DELETE) is Risk.CRITICAL
    assert risk_of(replace(gone, risk=Risk.LOW), Kind.READ) is Risk.CRITICAL


def test_another_name_for_it_is_no_way_round() -> None:
    renamed = Meaning(service="ours", operation="tidy-up", kind=Kind.READ, sure=True)
    assert risk_of(renamed, Kind.READ) is Risk.LOW
    assert risk_of(renamed, Kind.READ, also="github:repos/delete") is Risk.CRITICAL
