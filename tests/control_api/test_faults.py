"""One shape for what the API refuses, what the domain refuses, and what fails."""

import pytest

from control_api import faults
from control_api.faults import Conflict, Fault, Recorded, problem
from firewall.errors import EngineUnavailable, LedgerUnavailable
from firewall.ids import ActionId


def every(kind: type[Fault]) -> list[type[Fault]]:
    return [kind, *(each for child in kind.__subclasses__() for each in every(child))]


@pytest.mark.parametrize("kind", every(Fault))
def test_every_fault_has_a_title_a_status_and_a_code(kind: type[Fault]) -> None:
    shown = problem(kind("why"))
    assert (shown.body["title"], shown.body["status"], shown.body["detail"]) == (kind.title(), kind.status, "why")
    assert shown.status == kind.status
    assert not kind.title().endswith(".")


def test_codes_are_used_once() -> None:
    codes = [kind.code for kind in every(Fault)]
    assert len(codes) == len(set(codes))


def test_what_the_domain_refuses_has_the_same_members() -> None:
    assert set(problem(Conflict("x")).body) <= set(problem(LedgerUnavailable("x")).body)


def test_a_recorded_refusal_names_its_action() -> None:
    shown = problem(Recorded(EngineUnavailable("x"), ActionId("act_1")))
    assert (shown.status, shown.body["action_id"], shown.headers["Retry-After"]) == (503, "act_1", "1")


def test_a_defect_says_nothing_of_its_cause() -> None:
    assert problem(RuntimeError("hunter2")).body["detail"] == faults.problem(KeyError()).body["detail"]
