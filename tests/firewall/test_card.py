"""What an approver reads: in words, in order, with nothing secret, hidden or endless in it."""

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Action, Kind, Risk, Source
from firewall.card import FIELDS, Card, card
from firewall.ids import ActionId, AgentId
from firewall.redact import MASK
from firewall.request import parse

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "card.json").read_text())
PLAIN = Action(
    id=ActionId("act_1"), agent="build-bot", agent_id=AgentId("agt_1"), service="github", operation="issues/create",
    kind=Kind.WRITE, risk=Risk.MEDIUM, method="POST", scheme="https", host="api.github.com", port=443,
    path="/repos/octo/hello/issues", segments=("repos", "octo", "hello", "issues"), resource={"owner": "octo", "repo": "hello"},
)  # fmt: skip


def shown(given: dict[str, Any]) -> Card:
    action = dict(given.get("action", {}))
    for name, enum in (("kind", Kind), ("risk", Risk), ("source", Source)):
        if name in action:
            action[name] = enum(action[name])
    request = None
    if "sent" in given:
        request = parse(
            method="POST", scheme="https", host="api.github.com", port=443, target=b"/repos/octo/hello/issues",
            headers=[(b"Content-Type", given.get("content_type", "application/json").encode())],
            body=given["sent"].encode(),
        )  # fmt: skip
    return card(replace(PLAIN, **action), request, given.get("params"))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_card_says_who_wants_what(vector: dict[str, Any]) -> None:
    made = shown(vector)
    for name in ("title", "sentence", "body", "body_note"):
        if name in vector:
            assert getattr(made, name) == vector[name]
    fields = [[each.name, each.value] for each in made.fields]
    assert [pair for pair in vector.get("fields", []) if pair not in fields] == []
    assert [word for word in vector.get("never", []) if word in json.dumps(made.public(), ensure_ascii=False)] == []


def test_fields_stand_in_the_order_in_which_they_should_be_read() -> None:
    made = card(replace(PLAIN, details={"note": "x"}, query="a=1&token=abc", destinations=("https://e.test",)))
    assert [(each.name, each.value) for each in made.fields] == [
        ("Action", "github:issues/create"),
        ("Kind", "write"),
        ("Risk", "medium"),
        ("owner", "octo"),
        ("repo", "hello"),
        ("note", "x"),
        ("Lets the provider contact", "https://e.test"),
        ("Request", "POST https://api.github.com/repos/octo/hello/issues"),
        ("Query", "a=1"),
        ("Query", f"token={MASK}"),
    ]


def test_what_is_said_twice_is_shown_once() -> None:
    made = card(replace(PLAIN, resource={"model": "m", "repo": "a"}, details={"model": "m", "repo": "b"}))
    assert [(each.name, each.value) for each in made.fields if each.name in ("model", "repo")] == [
        ("model", "m"), ("repo", "a"), ("repo", "b"),
    ]  # fmt: skip


def test_a_card_goes_into_json_as_it_is() -> None:
    assert json.loads(json.dumps(card(PLAIN).public()))["title"] == "github:issues/create on octo/hello"


@given(
    st.text(max_size=200), st.text(max_size=200), st.dictionaries(st.text(max_size=80), st.text(max_size=500), max_size=80),
    st.binary(max_size=500), st.sampled_from(["application/json", "text/plain", "multipart/form-data; boundary=b", "é", ""]),
)  # fmt: skip
def test_no_text_of_an_agent_hides_anything_or_grows_without_end(
    operation: str, path: str, told: dict[str, str], body: bytes, content_type: str
) -> None:
    request = parse(
        method="POST", scheme="https", host="a.test", port=443, target=b"/", body=body,
        headers=[(b"Content-Type", content_type.encode())],
    )  # fmt: skip
    made = card(replace(PLAIN, operation=operation, path=path, query=path, resource=told, details=told), request)
    assert len(made.fields) <= FIELDS
    assert len(json.dumps(made.public(), ensure_ascii=False)) < 40_000
    texts = [made.title, made.sentence, made.body_note, *(text for each in made.fields for text in (each.name, each.value))]
    for text in [*texts, made.body.replace("\n", "").replace("\t", "")]:
        assert [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}] == []
