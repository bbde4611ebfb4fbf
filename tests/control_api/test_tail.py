"""One tailer for all subscribers, which polls only while there are any."""

from typing import Any

import pytest

from control_api import tail as tails
from control_api.tail import TooManySubscribers
from firewall.audit.events import expired
from firewall.ids import ApprovalId
from firewall.ports import Item

pytestmark = pytest.mark.asyncio
APPROVAL = ApprovalId("apr_" + "0" * 32)


async def say(api: Any, count: int) -> list[int]:
    seqs: list[int] = []
    for _ in range(count):
        seqs += (await api.context.ledger.append(Item(drafts=(expired(APPROVAL),)))).seqs
    return seqs


async def test_every_subscriber_gets_every_entry_once_and_in_order(api: Any) -> None:
    async with api.context.tail.subscribe() as one, api.context.tail.subscribe() as two:
        seqs = await say(api, 4)
        for subscriber in (one, two):
            assert [(await subscriber.entries.get()).seq for _ in seqs] == seqs


async def test_a_subscriber_that_falls_behind_is_dropped_and_counted(api: Any, monkeypatch: Any, wait_until: Any) -> None:
    monkeypatch.setattr(tails, "QUEUE", 2)
    async with api.context.tail.subscribe() as slow:
        await say(api, 4)
        await wait_until(lambda: slow.dropped)
        assert slow.entries.qsize() == 2
    assert b"aaf_api_event_subscribers_dropped_total 1.0" in api.context.metrics.text()


async def test_nobody_polls_once_nobody_listens(api: Any, wait_until: Any) -> None:
    async with api.context.tail.subscribe():
        assert api.context.tail.following
    await wait_until(lambda: not api.context.tail.following)


async def test_there_may_be_only_so_many(api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(tails, "SUBSCRIBERS", 1)
    async with api.context.tail.subscribe():
        with pytest.raises(TooManySubscribers):
            async with api.context.tail.subscribe():
                pass
        reply = await api.call("GET", "/v1/events")
        assert (reply.status, reply.body["type"]) == (429, "urn:aaf:problem:busy")
