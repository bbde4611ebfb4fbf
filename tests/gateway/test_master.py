"""mitmproxy's own parts are held to what the seams were tested on (TRAPS 2, 7, 8, 19)."""

import logging

import pytest
from mitmproxy import version

from gateway.master import LOCKED, GatewayMaster, WrongMitmproxy


async def test_the_options_are_those_that_are_locked() -> None:
    options = GatewayMaster().options
    assert {name: getattr(options, name) for name in LOCKED} == LOCKED


async def test_no_script_can_be_loaded() -> None:
    master = GatewayMaster()
    assert "scripts" not in master.options
    assert list(master.addons.chain) == []


async def test_another_mitmproxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version, "VERSION", "12.2.4")
    with pytest.raises(WrongMitmproxy, match=r"12\.2\.4 is installed"):
        GatewayMaster()


async def test_a_record_of_the_log_makes_no_hook() -> None:
    """mitmproxy's master hands each record of every logger to its addons."""
    before = list(logging.getLogger().handlers)
    master = GatewayMaster()
    assert master._legacy_log_events not in logging.getLogger().handlers
    assert logging.getLogger().handlers == before
