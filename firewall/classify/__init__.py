"""Request → what it means. `CLASSIFIERS` is tried in order; the first that knows the request wins.

A classifier that raises, or none that knows: an `unknown` action, the riskiest kind (SEMANTICS 5).
"""

from collections.abc import Callable

from firewall.action import Classified, Kind, Risk
from firewall.classify.generic import generic
from firewall.request import Request

Classifier = Callable[[Request], Classified | None]
"""None: not a request that this classifier knows."""

CLASSIFIERS: tuple[Classifier, ...] = (generic,)


def classify(request: Request, classifiers: tuple[Classifier, ...] = CLASSIFIERS) -> Classified:
    """Never raises: a classifier that cannot read a request must not decide that it is harmless, nor stop the others' work."""
    for classifier in classifiers:
        try:
            found = classifier(request)
        except Exception:
            break
        if found is not None:
            return found
    return Classified(service="http", operation=request.method, kind=Kind.UNKNOWN, risk=Risk.CRITICAL)


def submitted(tool: str, operation: str) -> Classified:
    """An action submitted by API. No catalog says what its words mean yet, so its kind is unknown."""
    return Classified(service=tool, operation=operation, kind=Kind.UNKNOWN, risk=Risk.CRITICAL)
