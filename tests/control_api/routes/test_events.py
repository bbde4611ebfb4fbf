"""Server-sent events: live, resumed after the last one seen, and without what the chain only commits to."""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest

from control_api.routes.events import frame, last_event_id
from firewall.audit.events import expired
from firewall.ids import ApprovalId
from firewall.ports import Item
from firewall.reads import EntryRecord

pytestmark = pytest.mark.asyncio
APPROVAL = ApprovalId("apr_" + "0" * 32)


async def say(api: Any, count: int = 1) -> list[int]:
    """Entries of an approval, as good as any."""
    seqs: list[int] = []
    for _ in range(count):
        seqs += (await api.context.ledger.append(Item(drafts=(expired(APPROVAL),)))).seqs
    return seqs


async def events(response: aiohttp.ClientResponse, count: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    async with asyncio.timeout(20):
        while len(found) < count:
            line = (await response.content.readline()).decode().rstrip("\n")
            if not line:
                found += [event] if "data" in event else []
                event = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value
    return found


async def test_what_happens_is_told_with_its_position(api: Any) -> None:
    async with api.session.get(api.url + "/v1/events", headers=api.keys["viewer"]) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        seqs = await say(api, 3)
        found = await events(response, 3)
    assert [int(event["id"]) for event in found] == seqs
    assert {event["event"] for event in found} == {"approval"}
    data = orjson.loads(found[0]["data"])
    assert (data["event"], data["approval"]) == ("approval.expired", APPROVAL)
    assert not {"salt", "parts"} & set(data)


async def test_who_comes_back_gets_what_was_missed_and_goes_on(api: Any) -> None:
    seqs = await say(api, 5)
    headers = {**api.keys["viewer"], "Last-Event-ID": str(seqs[1])}
    async with api.session.get(api.url + "/v1/events", headers=headers) as response:
        assert [int(event["id"]) for event in await events(response, 3)] == seqs[2:]
        more = await say(api, 2)
        assert [int(event["id"]) for event in await events(response, 2)] == more


async def test_a_revoked_key_ends_the_stream(api: Any) -> None:
    created = await api.call("POST", "/v1/keys", {"role": "viewer", "name": "Vera"})
    headers = {"Authorization": f"Bearer {created.body['key']}"}
    async with api.session.get(api.url + "/v1/events", headers=headers) as response:
        await api.call("DELETE", f"/v1/keys/{created.body['id']}")
        async with asyncio.timeout(20):
            while await response.content.readline():
                pass


async def test_entries_about_other_things_are_not_told() -> None:
    row = EntryRecord(seq=1, event="key.created", event_hash=b"", leaf_hash=b"", body=b"{}")
    assert frame(row) == b""


@pytest.mark.parametrize("header", ["x", "-1", "1.5", "9" * 30, "\u0661"])
async def test_a_last_event_id_that_is_no_position_is_refused(header: str) -> None:
    with pytest.raises(Exception, match="Last-Event-ID"):
        last_event_id(header)
