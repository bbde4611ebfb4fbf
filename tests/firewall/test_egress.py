import pytest

from firewall.egress import Destinations


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("pinned.test", True),
        ("a.pinned.test", True),
        ("a.b.pinned.test", False),
        ("xpinned.test", False),
        ("pinned.test.evil.test", False),
        ("pinned.test\n", False),
        ("", False),
        ("2001:db8::1", True),
        ("2001:db8::2", False),
    ],
)
def test_hosts_are_named_by_globs_that_hold_for_the_whole_name(host: str, named: bool) -> None:
    globs = ("pinned.test", "*.pinned.test", "2001:db8::1")
    assert Destinations(pass_through=globs).passes_through(host) is named
    assert Destinations(http2=globs).prefers_http2(host) is named


def test_where_nothing_is_named_nothing_is_meant() -> None:
    assert not Destinations().passes_through("pinned.test")
    assert not Destinations().prefers_http2("pinned.test")
    assert not Destinations(http2=("**",)).passes_through("pinned.test")
