import pytest

from addons.locate import Locate
from addons.passage import Passage
from addons.walk import take
from firewall.egress import Destinations, Route
from firewall.errors import AddressRefused, DeniedByPolicy, NotResolved
from tests.addons.made import Made
from tests.gateway.rig import ALLOW, DENY


def allowed(made: Made, host: str = "up.test", port: int = 80) -> Passage:
    passage = made.classified(host=host, port=port)
    passage.verdict, passage.destinations = ALLOW, made.revisions.destinations
    return passage


async def test_a_name_is_resolved_once_and_its_route_kept() -> None:
    made = Made()
    made.resolver.routes["up.test"] = Route(addresses=("93.184.216.34", "8.8.8.8"), port=80)
    passage = allowed(made)
    await take(Locate(made.services), passage)
    assert (passage.route, made.resolver.asked) == (made.resolver.routes["up.test"], ["up.test"])


async def test_one_bad_address_spoils_the_whole_answer() -> None:
    made = Made()
    made.resolver.routes["up.test"] = Route(addresses=("8.8.8.8", "127.0.0.1"), port=80)
    passage = allowed(made)
    with pytest.raises(AddressRefused, match=r"up\.test"):
        await take(Locate(made.services), passage)
    assert passage.route is None


async def test_the_policy_may_let_a_private_range_pass() -> None:
    made = Made()
    made.revisions.destinations = Destinations(allow_private=("10.1.2.0/24",))
    made.resolver.routes["up.test"] = Route(addresses=("10.1.2.3",), port=80)
    await take(Locate(made.services), allowed(made))


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
async def test_a_socket_of_our_own_is_refused_where_the_policy_names_its_range(address: str) -> None:
    made = Made()
    made.revisions.destinations = Destinations(ports=frozenset({8080}), allow_private=("127.0.0.0/8",))
    made.own_sockets.ours = {(address, 8080)}
    made.resolver.routes["up.test"] = Route(addresses=(address,), port=8080)
    with pytest.raises(AddressRefused, match=r"port 8080 is a socket of this firewall"):
        await take(Locate(made.services), allowed(made, port=8080))
    made.own_sockets.ours = set()
    await take(Locate(made.services), allowed(made, port=8080))


async def test_a_socket_of_our_own_is_reached_where_the_operator_leads() -> None:
    made = Made()
    made.own_sockets.ours = {("127.0.0.1", 8080)}
    made.resolver.routes["up.test"] = Route(addresses=("127.0.0.1",), port=8080, exempt=True)
    passage = allowed(made)
    await take(Locate(made.services), passage)
    assert passage.route is made.resolver.routes["up.test"]


UNCHECKED = Route(addresses=("up.test",), port=80, unchecked=True)


async def test_a_name_that_an_upstream_proxy_resolves_passes_if_a_deciding_rule_names_it() -> None:
    made = Made()
    made.resolver.literal = UNCHECKED
    passage = allowed(made)
    passage.destinations = Destinations(naming_rules=frozenset({"allowed"}))
    await take(Locate(made.services), passage)
    assert passage.route is UNCHECKED


@pytest.mark.parametrize("naming", [frozenset[str](), frozenset({"other"})])
async def test_a_name_that_an_upstream_proxy_resolves_is_refused_if_only_other_rules_name_it(naming: frozenset[str]) -> None:
    made = Made()
    made.resolver.literal = UNCHECKED
    passage = allowed(made)
    passage.destinations = Destinations(naming_rules=naming)
    with pytest.raises(AddressRefused, match="no rule that decided names that host"):
        await take(Locate(made.services), passage)


async def test_an_address_that_is_known_already_is_not_looked_up() -> None:
    made = Made()
    made.resolver.literal = Route(addresses=("127.0.0.1",), port=80)
    with pytest.raises(AddressRefused):
        await take(Locate(made.services), allowed(made))
    assert made.resolver.asked == []


async def test_a_port_that_the_policy_does_not_name_is_denied_without_a_lookup() -> None:
    made = Made()
    with pytest.raises(DeniedByPolicy):
        await take(Locate(made.services), allowed(made, port=8080))
    assert made.resolver.asked == []


async def test_a_name_that_does_not_resolve_ends_the_request() -> None:
    made = Made()
    with pytest.raises(NotResolved):
        await take(Locate(made.services), allowed(made))


async def test_what_is_denied_never_comes_here() -> None:
    made = Made()
    passage = allowed(made)
    passage.verdict = DENY
    with pytest.raises(AssertionError):
        await take(Locate(made.services), passage)
    assert made.resolver.asked == []
