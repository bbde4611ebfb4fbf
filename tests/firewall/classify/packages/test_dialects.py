"""A form gives a name and never mildness; what an operator names is asked first of all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import KIND_ORDER, RISK_ORDER, Kind
from firewall.classify import classify
from firewall.classify.generic import Generic, method_kind
from firewall.classify.known import Known
from firewall.classify.packages import Packages
from firewall.classify.packages.dialects import READERS
from tests.firewall.classify.vectors import Described, Vector, escaped, load

EVERYWHERE = Known(speakers={service: ("**",) for service, _ in READERS})
NAMERS = (Packages(), Generic())
ALL = load("packages.json")


@pytest.mark.parametrize("vector", ALL, ids=str)
def test_what_a_catalog_describes_is_never_renamed(vector: Vector) -> None:
    known = replace(vector.known, shipped=Described())
    found = classify(vector.request, known, NAMERS)
    assert found.service == "http" or found.kind is Kind.UNKNOWN


@given(st.sampled_from(ALL), st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"]))
def test_no_form_makes_a_request_milder_than_its_method(vector: Vector, method: str) -> None:
    found = classify(replace(vector.request, method=method), Known(), NAMERS)
    assert KIND_ORDER.index(found.kind) >= KIND_ORDER.index(method_kind(method))


@given(st.lists(st.sampled_from(["@a", "@a/b", "-", "@v", "simple", "v2", "x.tgz", "new", "crates", "é", "a"]), max_size=6))
def test_any_path_is_read_by_every_protocol(parts: list[str]) -> None:
    request = replace(ALL[0].request, segments=tuple(parts) or ("",), path="/" + "/".join(parts))
    assert classify(request, EVERYWHERE, NAMERS).kind is Kind.READ


@given(st.sampled_from(ALL), st.integers(0, 200))
def test_a_path_and_field_names_that_are_written_otherwise_make_nothing_milder(vector: Vector, place: int) -> None:
    request, known = vector.request, vector.known
    before = classify(request, known, NAMERS)
    after = classify(escaped(request, place), known, NAMERS)
    assert KIND_ORDER.index(after.kind) >= KIND_ORDER.index(before.kind)
    assert RISK_ORDER.index(after.risk) >= RISK_ORDER.index(before.risk)
