import pytest

from addons.inspect import Inspect
from addons.walk import take
from firewall.egress import Destinations, Route
from firewall.errors import AddressRefused
from tests.addons.made import Made


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "fd00::1"])
async def test_a_literal_address_that_is_not_global_is_refused_before_anyone_is_asked(host: str) -> None:
    made = Made()
    made.resolver.routes[host] = Route(addresses=(host,), port=80)
    with pytest.raises(AddressRefused):
        await take(Inspect(made.services), made.classified(host=host))
    assert made.engine.asked == []


@pytest.mark.parametrize("host", ["8.8.8.8", "up.test"])
async def test_a_global_address_and_a_name_pass(host: str) -> None:
    made = Made()
    await take(Inspect(made.services), made.classified(host=host))
    assert made.resolver.asked == []


async def test_what_the_policy_names_passes() -> None:
    made = Made()
    made.revisions.destinations = Destinations(allow_private=("10.1.2.0/24",))
    await take(Inspect(made.services), made.classified(host="10.1.2.3"))
    made.resolver.routes["10.1.3.3"] = Route(addresses=("10.1.3.3",), port=80)
    with pytest.raises(AddressRefused):
        await take(Inspect(made.services), made.classified(host="10.1.3.3"))


async def test_the_operators_own_routing_is_exempt() -> None:
    made = Made()
    made.resolver.routes["10.0.0.1"] = Route(addresses=("127.0.0.1",), port=8080, exempt=True)
    await take(Inspect(made.services), made.classified(host="10.0.0.1"))
