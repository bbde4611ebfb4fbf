import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.classify.content_type import Unreadable
from firewall.classify.llm_body import LISTED, MORE, Inference, read_inference, worth_a_walk


def test_destinations_are_bounded_and_the_last_says_so() -> None:
    talk = [{"type": "url", "url": f"https://h{number}.test/"} for number in range(LISTED + 1)]
    found = read_inference({"messages": talk}).destinations
    assert (len(found), found[-1]) == (LISTED, MORE)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@A.test:8443/x?y#z", "https://a.test:8443/x"),
        ("https://[::1]/", "https://[::1]/"),
        ("https://a.test/" + "x" * 300, "https://a.test/" + "x" * 184 + "…"),
        ("https://[x", "provider:unreadable_address"),
        ("https://a.test/\u202egnp", "provider:unreadable_address"),
        ("nonsense", "provider:unreadable_address"),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert read_inference({"mcp_servers": [{"url": url}]}).fetches == (shown,)


def test_what_stays_in_the_providers_house_does_not_act() -> None:
    assert not Inference(runs=("provider:file_search",)).acts
    assert Inference(runs=("provider:file_search", "provider:web_search")).acts
    assert not Inference(fetches=("https://a.test/",)).acts


NAMES = st.sampled_from(
    ["model", "tools", "type", "name", "url", "image_url", "messages", "input", "mcp_servers", "plugins", "function", "definition"]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["url", "tool_definition", "mcp", "https://a.test"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(NAMES, VALUES))
def test_any_body_is_read_or_refused(body: dict[str, Any]) -> None:
    with suppress(Unreadable):
        found, other = read_inference(body), read_inference(dict(reversed(body.items())))
        assert (found.model, found.runs, found.fetches, {*found.tools}) == (other.model, other.runs, other.fetches, {*other.tools})


@given(st.dictionaries(NAMES, VALUES))
def test_a_conversation_that_is_not_looked_through_holds_nothing(body: dict[str, Any]) -> None:
    with suppress(Unreadable):
        assert read_inference(body) == read_inference(body, talk=worth_a_walk(json.dumps(body).encode()))


@given(st.dictionaries(NAMES, VALUES))
def test_a_tool_of_the_provider_is_found_beside_anything(body: dict[str, Any]) -> None:
    tools = body.get("tools")
    body["tools"] = [*(tools if isinstance(tools, list) else ()), {"type": "web_search"}]
    with suppress(Unreadable):
        assert read_inference(body).acts
