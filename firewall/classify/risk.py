"""How bad a wrong action would be: from its kind, and from what was reviewed one by one (risks.tsv)."""

from typing import Final

from firewall.action import Kind, Risk, stricter_risk
from firewall.classify.meaning import Meaning
from firewall.classify.review import SHIPPED

DESCRIBED: Final = {
    Kind.READ: Risk.LOW,
    Kind.WRITE: Risk.MEDIUM,
    Kind.EXECUTE: Risk.HIGH,
    Kind.DELETE: Risk.HIGH,
    Kind.UNKNOWN: Risk.CRITICAL,
}
"""Where a vendor's description says what the request does."""
UNDESCRIBED: Final = DESCRIBED | {Kind.READ: Risk.MEDIUM, Kind.WRITE: Risk.HIGH}
"""Where nobody has described it, nothing is of low risk."""


def risk_of(meaning: Meaning, kind: Kind, also: str | None = None) -> Risk:
    """`kind`: what the action does after all signs were seen. `also`: another name of the same operation (the shipped catalog's,
    where a user's catalog renamed it): the stricter of the two counts."""
    risk = (DESCRIBED if meaning.sure else UNDESCRIBED)[kind]
    if meaning.risk is not None:
        risk = stricter_risk(risk, meaning.risk)
    for name in (f"{meaning.service}:{meaning.operation}", also):
        reviewed = None if name is None else SHIPPED.of(name)
        if reviewed is not None:
            risk = stricter_risk(risk, reviewed)
    return risk
