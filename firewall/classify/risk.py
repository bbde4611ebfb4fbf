"""How bad a wrong action would be: from its kind, and from what was reviewed one by one."""

from firewall.action import Kind, Risk, stricter_risk
from firewall.classify.meaning import Meaning

RISKS = {
    Kind.READ: Risk.MEDIUM,
    Kind.WRITE: Risk.HIGH,
    Kind.EXECUTE: Risk.HIGH,
    Kind.DELETE: Risk.HIGH,
    Kind.UNKNOWN: Risk.CRITICAL,
}
"""At a host that nobody has described, nothing is of low risk."""


def risk_of(meaning: Meaning, kind: Kind) -> Risk:
    """`kind`: what the action does after all signs were seen."""
    risk = RISKS[kind]
    return risk if meaning.risk is None else stricter_risk(risk, meaning.risk)
