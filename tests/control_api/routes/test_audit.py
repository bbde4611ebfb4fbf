"""The chain through the API: lists, and a walk that finds what was changed."""

from typing import Any

import orjson
import pytest

pytestmark = pytest.mark.asyncio


async def test_an_untouched_chain_holds(api: Any) -> None:
    reply = await api.call("POST", "/v1/audit/verify", {}, who="auditor")
    size = (await api.context.reads.head()).size
    assert reply.body["ok"], reply.body
    assert (reply.body["entries"], reply.body["head"]["size"], reply.body["first_bad"]) == (size, size, None)


async def test_a_changed_entry_is_named(api: Any) -> None:
    await api.call("POST", "/v1/agents", {"name": "mallory"})
    (row,) = await api.sql("select seq, body from aaf.audit_log where convert_from(body, 'UTF8') like '%mallory%'")
    await api.sql("update aaf.audit_log set body = $2 where seq = $1", row["seq"], row["body"].replace(b"mallory", b"innocent"))
    reply = await api.call("POST", "/v1/audit/verify", {}, who="auditor")
    assert (reply.body["ok"], reply.body["first_bad"]["seq"]) == (False, row["seq"])
    assert reply.body["first_bad"]["reason"]


async def test_a_missing_tail_is_named(api: Any) -> None:
    await api.sql("delete from aaf.audit_log where seq = (select max(seq) from aaf.audit_log)")
    reply = await api.call("POST", "/v1/audit/verify", {}, who="auditor")
    assert not reply.body["ok"]


async def test_entries_are_newest_first_with_the_body_as_it_was_hashed(api: Any) -> None:
    reply = await api.call("GET", "/v1/audit/events", who="auditor")
    seqs = [entry["seq"] for entry in reply.body["data"]]
    assert seqs == sorted(seqs, reverse=True)
    for entry in reply.body["data"]:
        assert orjson.loads(entry["body"]) == entry["entry"]
        assert entry["entry"]["event"] == entry["event"]


async def test_entries_are_found_by_event_agent_and_position(api: Any) -> None:
    created = await api.call("POST", "/v1/agents", {"name": "second"})
    for query in (f"agent={created.body['id']}", "agent=second"):
        found = (await api.call("GET", f"/v1/audit/events?{query}")).body
        assert [entry["entry"]["agent_name"] for entry in found["data"]] == ["second"]
        assert found["next_cursor"] is None
    by = await api.call("GET", "/v1/audit/events?agent=admin-person")
    assert by.body["data"] == [], "who did it is not whom it is about"
    from_seq = found["data"][0]["seq"]
    later = (await api.call("GET", f"/v1/audit/events?from_seq={from_seq}")).body["data"]
    assert [entry["seq"] for entry in later] == [from_seq]
    assert (await api.call("GET", "/v1/audit/events?event=key.created&limit=1000")).body["data"]
    assert (await api.call("GET", "/v1/audit/events?event=no.such")).body["data"] == []


async def test_the_cursor_leads_to_every_entry_once(api: Any) -> None:
    size = (await api.context.reads.head()).size
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await api.call("GET", f"/v1/audit/events?limit=2{cursor}")).body
        seen += [entry["seq"] for entry in page["data"]]
        cursor = None if page["next_cursor"] is None else f"&cursor={page['next_cursor']}"
    assert seen == list(range(size - 1, -1, -1))
