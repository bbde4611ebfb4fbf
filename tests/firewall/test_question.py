from dataclasses import replace
from datetime import UTC, datetime

from firewall.action import Action, Kind, Risk
from firewall.ids import ActionId, AgentId
from firewall.question import PolicyInput, question, schema


def made() -> Action:
    return Action(
        id=ActionId("act_1"), agent="bot", agent_id=AgentId("agt_1"), service="http", operation="GET", kind=Kind.READ,
        risk=Risk.LOW, method="GET", scheme="https", host="example.com", port=443, path="/a%20b", segments=("a b",),
        resource={"owner": "o"}, findings=({"kind": "secret"},),
    )  # fmt: skip


def test_the_question_is_what_the_published_schema_says() -> None:
    asked = question(made(), now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), source_ip="127.0.0.1", counts={"held": 1})
    assert PolicyInput.model_validate(asked).model_dump() == asked
    assert asked["action"]["canonical_path"] == "/a b"
    assert asked["action"]["methods"] == ["GET"]
    assert asked["context"] == {"time": "2026-01-02T03:04:05.000Z", "source_ip": "127.0.0.1", "counts": {"held": 1}}
    assert asked["findings"] == [{"kind": "secret"}]


def test_a_question_names_every_method_that_the_request_may_be_taken_for() -> None:
    asked = question(
        replace(made(), overrides=("DELETE", "PUT")), now=datetime(2026, 1, 1, tzinfo=UTC), source_ip="127.0.0.1", counts={}
    )
    assert asked["action"]["methods"] == ["GET", "DELETE", "PUT"]


def test_every_key_is_required_and_every_key_of_an_action_is_there() -> None:
    published = schema()
    assert set(published["$defs"]["InputAction"]["required"]) == made().public().keys() | {"agent_id", "canonical_path", "methods"}
    for part in (published, *published["$defs"].values()):
        assert set(part["required"]) == set(part["properties"])
        assert part["additionalProperties"] is False
