from addons.services import Limits
from firewall.settings import Settings


def test_the_limits_are_those_of_the_settings_unless_told_otherwise() -> None:
    limits, settings = Limits(), Settings()
    assert (limits.hold_seconds, limits.body_hold_bytes, limits.holds_per_agent, limits.connections_per_agent) == (
        settings.hold_seconds,
        settings.body_hold_bytes,
        settings.holds_per_agent,
        settings.connections_per_agent,
    )
    assert limits.held_bytes == 256 << 20
