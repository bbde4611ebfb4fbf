"""Agents and keys: a secret is in the answer that makes it and in no other."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from control_api.callers import PEOPLE
from control_api.models import AgentCredential, AgentShown, KeyCreated, KeyShown, NewAgent, NewKey, NewToken
from control_api.routes import ROUTES


def wrong(model: type[BaseModel], **given: object) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    return {str(each["loc"][0]) for each in caught.value.errors()}


def test_a_key_is_for_a_person_and_has_a_role_of_people() -> None:
    for role in sorted(PEOPLE):
        assert NewKey.model_validate({"role": role, "name": "Ann"}).role == role
    for other in ("agent", "bundle", "nobody", "root", ""):
        assert wrong(NewKey, role=other, name="Ann") == {"role"}


def test_nobody_chooses_a_key_a_token_or_an_identifier() -> None:
    assert wrong(NewKey, role="viewer", name="Ann", key="x", id="key_1") == {"key", "id"}
    assert wrong(NewAgent, name="bot", token="x", id="agt_1") == {"token", "id"}
    assert wrong(NewToken, token="x") == {"token"}


@pytest.mark.parametrize("seconds", [-1, 86_401, "long"])
def test_an_agents_own_patience_is_bounded_by_a_day(seconds: Any) -> None:
    assert wrong(NewAgent, name="bot", hold_seconds=seconds) == {"hold_seconds"}


def test_an_agent_may_be_told_not_to_be_held_at_all() -> None:
    assert NewAgent.model_validate({"name": "bot", "hold_seconds": 0}).hold_seconds == 0


def test_a_secret_is_in_the_answer_that_makes_it_and_in_no_list() -> None:
    assert "token" in AgentCredential.model_fields
    assert "key" in KeyCreated.model_fields
    for model in (AgentShown, KeyShown):
        assert not {"token", "key", "proxy_url", "hash", "token_hash", "key_hash"} & set(model.model_fields)


def test_only_a_post_of_an_administrator_answers_with_a_secret() -> None:
    telling = [route for route in ROUTES if route.answer in (AgentCredential, KeyCreated)]
    assert len(telling) == 4
    assert {(route.method, frozenset(route.roles)) for route in telling} == {("POST", frozenset({"admin"}))}
