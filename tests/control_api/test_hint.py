"""A ring between looking and waiting is not missed."""

import asyncio

import pytest

from control_api.hint import Hint

pytestmark = pytest.mark.asyncio


async def test_a_ring_after_the_ticket_is_heard_at_once() -> None:
    hint = Hint()
    ticket = hint.ticket("a")
    hint.ring("a approved")
    async with asyncio.timeout(20):
        await Hint.wait(ticket, 1000)
    assert not hint.ticket("a").is_set()


async def test_a_ring_for_one_topic_leaves_the_others_waiting_and_an_empty_one_wakes_all() -> None:
    hint = Hint()
    a, b, plain = hint.ticket("a"), hint.ticket("b"), hint.ticket()
    hint.ring("a denied")
    assert (a.is_set(), b.is_set(), plain.is_set()) == (True, False, False)
    hint.ring()
    assert (b.is_set(), plain.is_set()) == (True, True)


async def test_waiting_ends_when_its_time_is_over() -> None:
    ticket = Hint().ticket()
    await Hint.wait(ticket, 0.01)
    assert not ticket.is_set()


async def test_topics_that_were_rung_are_forgotten() -> None:
    hint = Hint()
    for n in range(100):
        hint.ticket(str(n))
        hint.ring(f"{n} approved")
    assert hint.topics == 0
