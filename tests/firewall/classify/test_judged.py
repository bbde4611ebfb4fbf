from dataclasses import fields

import pytest

from firewall.action import Action, Classified, Kind, Risk
from firewall.classify.judged import action_of
from firewall.classify.known import NOBODY
from firewall.errors import Malformed
from firewall.ids import ActionId, AgentId
from firewall.request import Headers, parse


def judged(target: bytes, headers: Headers = ()) -> Action:
    request = parse(method="GET", scheme="https", host="a.test", port=443, target=target, headers=headers)
    return action_of(request, NOBODY, identifier=ActionId("act_1"), agent="bot", agent_id=AgentId("agt_1"))


def test_all_that_classification_says_is_in_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    said = Classified(
        service="s", operation="o", kind=Kind.DELETE, risk=Risk.HIGH, resource={"a": "b"}, details={"c": "d"}, destinations=("e",),
        iam_action="s:O", catalog="s@1", slashes=True, overrides=("DELETE",),
    )  # fmt: skip
    monkeypatch.setattr("firewall.classify.judged.classify", lambda _request, _known: said)
    action = judged(b"/a%2Fb")
    for field in fields(Classified):
        if field.name != "slashes":  # which is settled here
            assert getattr(action, field.name) == getattr(said, field.name), field.name
    assert (action.id, action.agent, action.agent_id, action.segments) == ("act_1", "bot", "agt_1", ("a/b",))


def test_a_slash_that_no_catalog_allows_is_refused() -> None:
    with pytest.raises(Malformed, match="encoded slash"):
        judged(b"/a%2Fb")


def test_too_many_methods_are_refused() -> None:
    with pytest.raises(Malformed, match="method"):
        judged(b"/", tuple((b"X-HTTP-Method", f"M{number}".encode()) for number in range(9)))
