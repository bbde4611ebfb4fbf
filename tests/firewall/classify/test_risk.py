from firewall.action import Kind, Risk
from firewall.classify.meaning import Meaning
from firewall.classify.risk import RISKS, risk_of


def test_every_kind_has_its_risk_and_a_classifier_may_raise_it() -> None:
    for kind in Kind:
        assert risk_of(Meaning(service="a", operation="b", kind=kind), kind) is RISKS[kind]
    assert risk_of(Meaning(service="a", operation="b", kind=Kind.READ, risk=Risk.HIGH), Kind.READ) is Risk.HIGH
