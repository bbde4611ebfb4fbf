import pytest

from addons.connect import Connect
from addons.passage import Passage
from addons.walk import take
from firewall.egress import Destinations
from firewall.errors import DeniedByPolicy, EngineUnavailable, Malformed
from tests.addons.made import CLIENT, Made


def connecting(made: Made, authority: str) -> Passage:
    passage = made.known(method="CONNECT")
    passage.flow.request.data.authority = authority.encode()
    return passage


async def test_a_tunnel_remembers_where_it_leads() -> None:
    made = Made()
    await take(Connect(made.services), connecting(made, "UP.test:443"))
    assert made.services.tunnels.of(CLIENT).target == ("up.test", 443)


@pytest.mark.parametrize("port", [22, 25, 53, 8080])
async def test_a_port_that_the_policy_does_not_name_is_denied(port: int) -> None:
    made = Made()
    with pytest.raises(DeniedByPolicy, match=f"names no port {port}"):
        await take(Connect(made.services), connecting(made, f"up.test:{port}"))
    assert made.services.tunnels.of(CLIENT).target is None


async def test_a_port_that_the_policy_names_is_not() -> None:
    made = Made()
    made.revisions.destinations = Destinations(ports=frozenset({8443}))
    await take(Connect(made.services), connecting(made, "up.test:8443"))
    assert made.services.tunnels.of(CLIENT).target == ("up.test", 8443)


@pytest.mark.parametrize("authority", ["", "up.test", "up.test:0", "up.test:4٤3", ":443", "up.test:443:1", "up.test:+443"])
async def test_an_authority_that_is_none_is_refused(authority: str) -> None:
    made = Made()
    with pytest.raises(Malformed):
        await take(Connect(made.services), connecting(made, authority))


async def test_without_an_active_policy_nothing_is_opened() -> None:
    made = Made()
    made.revisions.active = None
    with pytest.raises(EngineUnavailable):
        await take(Connect(made.services), connecting(made, "up.test:443"))
