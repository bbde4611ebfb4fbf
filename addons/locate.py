"""Where the name leads: resolved once, by us, and every address of the answer classified (the egress guard)."""

from functools import lru_cache

from addons.passage import Passage, Step
from firewall.address import refusal
from firewall.errors import AddressRefused, DeniedByPolicy
from firewall.verdict import Deny

_refusal = lru_cache(maxsize=4096)(refusal)


class Locate(Step):
    name = "locate"

    async def __call__(self, passage: Passage) -> None:
        action, destinations, verdict = passage.with_action(), passage.destinations, passage.verdict
        if destinations is None or isinstance(verdict, Deny):
            raise AssertionError("locate is for what is not denied")
        rules, revision = verdict.rules, verdict.revision
        if action.port not in destinations.ports:
            raise DeniedByPolicy(f"the policy names no port {action.port}", rules=rules, revision=revision)
        # A connection that is open already was dialled at an address that was good then; judge that one again.
        open_link = self.services.tunnels.of(passage.client_id).links.get((action.host, action.port))
        route = open_link or await self.services.resolver.route(action.host, action.port)
        if not route.exempt:
            for address in route.addresses:
                why = _refusal(address, destinations.allow_private)
                if why is not None:
                    raise AddressRefused(f"{action.host}: {why}", rules=rules, revision=revision)
        passage.route = route
