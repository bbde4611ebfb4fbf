"""What the handlers work with: made once for a process, and shared by nothing else."""

from dataclasses import fields
from datetime import UTC
from typing import Any, cast

import pytest

from control_api.context import Context
from control_api.metrics import Metrics
from firewall.ids import to_uuid
from firewall.settings import load


def made() -> Context:
    nothing = cast(Any, None)
    return Context(
        settings=load({"ENCRYPTION_MASTER_KEY": "A" * 43 + "=", "DATABASE_URL": "postgresql://aaf:hunter2@127.0.0.1/aaf"}),
        ledger=nothing,
        revisions=nothing,
        reads=nothing,
        opa=None,
        door=nothing,
        modules={},
        digest_key=b"hunter2-digest-key",
        metrics=Metrics(),
        tail=nothing,
    )


def test_what_is_secret_in_it_is_not_printed_with_it() -> None:
    printed = repr(made())
    assert "hunter2" not in printed
    assert "A" * 43 not in printed


def test_two_of_them_share_no_waiters_and_no_bells() -> None:
    one, two = made(), made()
    ticket = two.approvals_hint.ticket()
    one.approvals_hint.ring()
    one.closing.set()
    one.waiting["agt_1"] = 1
    assert (ticket.is_set(), two.closing.is_set(), two.waiting) == (False, False, {})


def test_a_new_identifier_has_its_prefix_and_sorts_by_time() -> None:
    context = made()
    identifier = context.new_id("apr")
    assert identifier.startswith("apr_")
    assert to_uuid(identifier).version == 7
    now_ms = int(context.now().timestamp() * 1000)
    assert 0 <= now_ms - (to_uuid(identifier).int >> 80) < 60_000


def test_its_clock_is_in_utc() -> None:
    assert made().now().tzinfo is UTC


@pytest.mark.asyncio
async def test_main_fills_every_part_but_the_engine_that_nobody_named(api: Any) -> None:
    assert [each.name for each in fields(Context) if getattr(api.context, each.name) is None] == ["opa"]
