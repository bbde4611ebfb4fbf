import pytest

from addons.tunnels import Tunnels
from firewall.errors import Abandoned, TooManyConnections
from firewall.ids import AgentId, TokenId
from firewall.ports import Agent, Credential


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


def credential(agent: str = "agt_1") -> Credential:
    of = Agent(id=AgentId(agent), name=agent, enabled=True)
    return Credential(agent=of, token_id=TokenId("tok_1"), token_hash=bytes(32), expires_at=None)


def opened(tunnels: Tunnels, *clients: str) -> None:
    for client in clients:
        tunnels.open(client)


def test_an_agent_has_so_many_connections_and_no_more_until_one_ends() -> None:
    tunnels = Tunnels()
    opened(tunnels, "a", "b", "c")
    for client in ("a", "b"):
        tunnels.claim(client, credential(), limit=2)
    with pytest.raises(TooManyConnections, match="2 connections"):
        tunnels.claim("c", credential(), limit=2)
    assert tunnels.of("c").credential is None
    tunnels.close("c")
    tunnels.close("a")
    assert tunnels.count(AgentId("agt_1")) == 1
    opened(tunnels, "d")
    tunnels.claim("d", credential(), limit=2)


def test_agents_do_not_count_for_each_other() -> None:
    tunnels = Tunnels()
    opened(tunnels, "a", "b")
    tunnels.claim("a", credential("agt_1"), limit=1)
    tunnels.claim("b", credential("agt_2"), limit=1)


def test_a_connection_that_asks_again_counts_once() -> None:
    tunnels = Tunnels()
    opened(tunnels, "a")
    renewed = credential()
    for given in (credential(), renewed):
        tunnels.claim("a", given, limit=1)
    assert tunnels.of("a").credential is renewed
    assert tunnels.count(AgentId("agt_1")) == 1
    tunnels.close("a")
    tunnels.close("a")
    assert tunnels.count(AgentId("agt_1")) == 0


def test_a_connection_that_is_gone_cannot_be_claimed() -> None:
    tunnels = Tunnels()
    with pytest.raises(Abandoned):
        tunnels.claim("gone", credential(), limit=1)
    assert tunnels.count(AgentId("agt_1")) == 0


def test_connections_share_nothing() -> None:
    tunnels = Tunnels()
    tunnels.open("a").target = ("up.test", 443)
    assert tunnels.open("b").target is None
