"""What holds for every test."""

from hypothesis import HealthCheck, settings


def test_no_property_is_held_to_the_clock() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
