"""What a handler is called with, and that an identifier in a path is one or names nothing."""

from contextlib import suppress
from typing import Any, cast

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from control_api.callers import NOBODY, Role
from control_api.faults import NotFound
from control_api.models import Live
from control_api.route import Answer, Call, Route
from firewall.ids import new_id


def call_for(text: str, name: str = "id") -> Call:
    request = make_mocked_request("GET", "/", match_info={name: text})
    return Call(context=cast(Any, None), caller=NOBODY, request=request)


def test_an_identifier_is_taken_as_it_stands() -> None:
    identifier = new_id("tok", 1)
    assert call_for(identifier, "token_id").id("tok", "token_id") == identifier


@pytest.mark.parametrize(
    "text",
    [
        "",
        "act_",
        "0" * 32,
        "apr_" + "0" * 32,
        "act_" + "0" * 31,
        "act_" + "0" * 33,
        "act_" + "A" * 32,
        "act_{" + "0" * 30 + "}",
        "act_ " + "0" * 31,
        "act_0_" + "0" * 30,
        "act_" + "\u0660" * 32,
        "ACT_" + "0" * 32,
        "act_" + "0" * 32 + "\n",
    ],
)
def test_what_is_no_identifier_of_the_kind_names_nothing(text: str) -> None:
    with pytest.raises(NotFound, match="no act_… identifier"):
        call_for(text).id("act")


@given(st.text(max_size=48))
def test_any_text_is_an_identifier_or_names_nothing(text: str) -> None:
    with suppress(NotFound):
        assert call_for(text).id("act") == text


def test_a_refused_identifier_is_not_repeated_at_length() -> None:
    with pytest.raises(NotFound) as caught:
        call_for("x" * 10_000).id("act")
    assert len(caught.value.detail) < 100


def test_a_row_says_json_and_200_unless_it_says_otherwise() -> None:
    async def handler(_call: Call) -> Answer:
        return Answer(content=Live())

    route = Route(method="GET", path="/x", handler=handler, roles=frozenset({Role.ADMIN}), summary="X")
    assert (route.status, route.media, route.query, route.body) == (200, "application/json", None, None)


def test_an_answer_has_the_status_of_its_row_unless_it_says_otherwise() -> None:
    answer = Answer(content=Live())
    assert (answer.status, dict(answer.headers)) == (None, {})
