"""Every event that this version writes, held to the tables of docs/audit-format.md."""

import hashlib
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Action, Kind, Risk
from firewall.approval import Choice
from firewall.audit import events
from firewall.audit.entry import Draft, Event, complete, encode
from firewall.ids import ActionId, AgentId, ApprovalId, WriterId
from tests.firewall.audit.document import fields, table

ACTION = ActionId("act_1")
AGENT = AgentId("agt_1")
APPROVAL = ApprovalId("apr_1")
TOLD = {"rules": ("r",), "revision": "sha256:1"}
DOCUMENTED = fields()


def action(
    path: str = "/a",
    query: str = "",
    digest: str = "",
    resource: dict[str, str] | None = None,
    opaque: bool = False,
    catalog: str | None = None,
) -> Action:
    return Action(
        id=ACTION, agent="bot", agent_id=AGENT, service="http", operation="GET", kind=Kind.READ, risk=Risk.MEDIUM, method="GET",
        scheme="https", host="a.test", port=443, path=path, segments=(), query=query, digest=digest, resource=resource or {},
        opaque=opaque, catalog=catalog,
    )  # fmt: skip


LEAST, MOST = action(), action(query="q=1", digest="sha256:1", resource={"owner": "o"}, opaque=True, catalog="shop@sha256:1")


def settled(failure: str | None, status: int | None, body_sha256: bytes | None) -> Draft:
    return events.settled(
        ACTION,
        AGENT,
        failure=failure,
        status=status,
        request_bytes=1,
        response_bytes=2,
        duration_ms=3,
        body_sha256=body_sha256,
    )


def decided(of: Action, *, full: bool) -> Draft:
    return events.decided(
        of,
        effect="deny",
        code="policy" if full else None,
        reason="why",
        rules=("r",),
        revision="sha256:1",
        approval=APPROVAL if full else None,
        address="192.0.2.7" if full else None,
    )


def requested(of: Action) -> Draft:
    return events.requested(APPROVAL, of, rules=("r",), revision="sha256:1", expires_in=1)


def voted(comment: str) -> Draft:
    return events.voted(APPROVAL, voter="ann", voter_id="key_1", choice=Choice.APPROVE, comment=comment, channel="api")


BODY = hashlib.sha256(b"").digest()
DRAFTS: dict[Event, tuple[Draft, Draft]] = (
    {
        Event.ACTION_DECIDED: (decided(LEAST, full=False), decided(MOST, full=True)),
        Event.ACTION_COMPLETED: (settled(None, None, None), settled(None, 200, BODY)),
        Event.ACTION_FAILED: (settled("timeout", None, None), settled("timeout", 200, BODY)),
        Event.APPROVAL_REQUESTED: (requested(LEAST), requested(MOST)),
        Event.APPROVAL_VOTED: (voted(""), voted("no")),
        Event.APPROVAL_APPROVED: (events.approval_settled(APPROVAL, choice=Choice.APPROVE, voter="ann", voter_id="key_1"),) * 2,
        Event.APPROVAL_DENIED: (events.approval_settled(APPROVAL, choice=Choice.DENY, voter="ann", voter_id="key_1"),) * 2,
        Event.APPROVAL_EXPIRED: (events.expired(APPROVAL),) * 2,
        Event.GRANT_SPENT: (events.grant_spent(APPROVAL, MOST),) * 2,
        Event.POLICY_ACTIVATED: (events.policy_activated("sha256:1", "ann"),) * 2,
        Event.PROCESS_STARTED: (events.process_started("gateway", "1"),) * 2,
        Event.PROCESS_STOPPED: (events.process_stopped("gateway"),) * 2,
    }
    | {
        event: (events.agent_event(event, AGENT, "bot", by="ann"), events.agent_event(event, AGENT, "bot", by="ann", token="tok_1"))
        for event in (Event.AGENT_CREATED, Event.AGENT_ROTATED, Event.AGENT_DISABLED)
    }
    | {
        Event.CATALOG_ADDED: (events.catalog_added("shop", "sha256:1", hosts=("a.test",), operations=2, by="ann"),) * 2,
        Event.CATALOG_REMOVED: (events.catalog_removed("shop", "sha256:1", by="ann"),) * 2,
    }
    | {
        event: (events.key_event(event, "key_1", name="ann", role="admin", by="bob"),) * 2
        for event in (Event.KEY_CREATED, Event.KEY_REVOKED)
    }
)
"""Each event with as little and with as much as it can have."""


def entry(draft: Draft) -> bytes:
    encoded = encode(draft, origin="log/1", writer=WriterId("wrt_1"), at=datetime(2026, 1, 1, tzinfo=UTC))
    return complete(encoded.head, 0)


def test_every_event_is_made_here_and_documented() -> None:
    assert set(DRAFTS) == set(Event)
    assert sorted(DOCUMENTED) == sorted(event.value for event in Event)


@pytest.mark.parametrize("event", Event)
def test_an_event_has_the_fields_and_parts_that_are_documented(event: Event) -> None:
    least, most = DRAFTS[event]
    assert (least.event, most.event) == (event, event)
    in_clear, committed = DOCUMENTED[event.value]
    assert (set(most.fields), set(most.parts)) == (set(in_clear), set(committed))
    assert set(least.fields) == {name for name, always in in_clear.items() if always}
    assert set(least.parts) == {name for name, always in committed.items() if always}


def test_every_field_and_part_is_explained() -> None:
    in_clear = {name for names, _ in DOCUMENTED.values() for name in names}
    committed = {name for _, names in DOCUMENTED.values() for name in names}
    assert sorted(in_clear) == [row[0].strip("`") for row in table("field")]
    assert sorted(committed) == [row[0].strip("`") for row in table("part")]


@pytest.mark.parametrize("event", Event)
def test_every_key_of_an_entry_sorts_before_the_writer(event: Event) -> None:
    assert max(json.loads(entry(DRAFTS[event][1]))) == "writer"


@pytest.mark.parametrize("event", Event)
def test_no_field_takes_the_place_of_what_every_entry_has(event: Event) -> None:
    assert not set(DRAFTS[event][1].fields) & {row[0].strip("`") for row in table("key")}


@pytest.mark.parametrize("event", Event)
def test_labels_and_events_have_their_form(event: Event) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z]+", event.value)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", label) for label in DRAFTS[event][1].parts)


SECRET = st.text(st.characters(codec="utf-8"), min_size=4, max_size=20).map(lambda text: f"§{text}§")


@given(SECRET)
def test_what_may_be_secret_is_never_in_clear(secret: str) -> None:
    of = action(path=f"/{secret}", query=secret, digest=secret, resource={"owner": secret})
    told = events.decided(of, effect="deny", code=None, reason=secret, rules=(), revision="")
    for draft in (told, requested(of), events.grant_spent(APPROVAL, of), voted(secret)):
        assert "§".encode() not in entry(draft)
        assert any(secret.encode() in part for part in draft.parts.values())


def test_the_outcome_is_failed_if_there_is_a_failure() -> None:
    assert settled("timeout", 200, None).fields["code"] == "timeout"
    assert "code" not in settled(None, 200, None).fields
