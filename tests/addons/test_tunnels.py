import pytest

from addons.tunnels import Tunnels
from firewall.errors import Abandoned


def test_a_tunnel_lives_as_long_as_its_connection() -> None:
    tunnels = Tunnels()
    opened = tunnels.open("a")
    assert tunnels.of("a") is tunnels.find("a") is opened
    assert tunnels.all() == [("a", opened)]
    assert tunnels.close("a") is opened
    assert tunnels.find("a") is None
    assert tunnels.close("a") is None


def test_what_belongs_to_a_connection_that_is_gone_is_not_made_up() -> None:
    with pytest.raises(Abandoned):
        Tunnels().of("gone")


def test_connections_share_nothing() -> None:
    tunnels = Tunnels()
    tunnels.open("a").target = ("up.test", 443)
    assert tunnels.open("b").target is None
