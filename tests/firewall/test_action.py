from dataclasses import fields, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Action, Kind, Risk, Source, stricter_kind, stricter_risk
from firewall.ids import ActionId, AgentId

KINDS, RISKS = st.sampled_from(Kind), st.sampled_from(Risk)


def action(segments: tuple[str, ...] = ("repos", "o", "r", "issues")) -> Action:
    return Action(
        id=ActionId("act_1"),
        agent="build-bot",
        agent_id=AgentId("agt_1"),
        service="github",
        operation="issues/create",
        kind=Kind.WRITE,
        risk=Risk.MEDIUM,
        method="POST",
        scheme="https",
        host="api.github.com",
        port=443,
        path="/repos/o/r/issues",
        segments=segments,
        query="a=b",
        resource={"owner": "o", "repo": "r"},
        digest="sha256:00",
    )


def test_kinds_and_risks_are_ordered_as_the_semantics_say() -> None:
    for milder, stricter in pairwise([Kind.READ, Kind.WRITE, Kind.EXECUTE, Kind.DELETE, Kind.UNKNOWN]):
        assert stricter_kind(milder, stricter) is stricter
    for lower, higher in pairwise([Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL]):
        assert stricter_risk(lower, higher) is higher


@given(KINDS, KINDS, KINDS)
def test_the_stricter_kind_is_the_same_in_whatever_order_it_is_asked(a: Kind, b: Kind, c: Kind) -> None:
    assert stricter_kind(a, b) is stricter_kind(b, a)
    assert stricter_kind(stricter_kind(a, b), c) is stricter_kind(a, stricter_kind(b, c))
    assert stricter_kind(a, Kind.UNKNOWN) is Kind.UNKNOWN
    assert stricter_kind(a, Kind.READ) is a


@given(RISKS, RISKS, RISKS)
def test_the_stricter_risk_is_the_same_in_whatever_order_it_is_asked(a: Risk, b: Risk, c: Risk) -> None:
    assert stricter_risk(a, b) is stricter_risk(b, a)
    assert stricter_risk(stricter_risk(a, b), c) is stricter_risk(a, stricter_risk(b, c))
    assert stricter_risk(a, Risk.CRITICAL) is Risk.CRITICAL
    assert stricter_risk(a, Risk.LOW) is a


def test_it_is_shown_as_the_contract_says() -> None:
    assert action().public() == {
        "id": "act_1", "agent": "build-bot", "service": "github", "operation": "issues/create", "name": "github:issues/create",
        "kind": "write", "risk": "medium", "method": "POST", "scheme": "https", "host": "api.github.com", "port": 443,
        "path": "/repos/o/r/issues", "query": "a=b", "resource": {"owner": "o", "repo": "r"}, "digest": "sha256:00", "findings": [],
        "source": "proxy", "opaque": False, "truncated": False, "iam_action": None, "destinations": [], "approval_id": None,
        "catalog": None,
    }  # fmt: skip


def test_every_field_is_shown_but_those_for_the_inside() -> None:
    assert {field.name for field in fields(Action)} - set(action().public()) == {"agent_id", "segments", "details", "overrides"}


def test_a_name_is_always_service_and_operation() -> None:
    assert action().name == "github:issues/create"


@pytest.mark.parametrize(("segments", "path"), [(("",), "/"), (("a", "b c"), "/a/b c"), (("a", ""), "/a/")])
def test_policies_match_the_decoded_path(segments: tuple[str, ...], path: str) -> None:
    assert action(segments).canonical_path == path


def test_what_nobody_reads_has_no_path_that_a_rule_could_name() -> None:
    assert replace(action(("a",)), opaque=True).canonical_path == ""


def test_what_is_shown_is_a_copy() -> None:
    made = action()
    made.public()["resource"]["owner"] = "other"
    assert made.resource == {"owner": "o", "repo": "r"}


def test_sources_are_proxy_and_api() -> None:
    assert [source.value for source in Source] == ["proxy", "api"]
