"""Where the name leads: resolved once, by us, and every address of the answer classified (the egress guard). Where an upstream
proxy insists on resolving it, only a host that a rule names passes."""

from collections.abc import Awaitable
from functools import lru_cache

from addons.passage import Passage, Step
from firewall.address import refusal
from firewall.egress import Route
from firewall.errors import AddressRefused, DeniedByPolicy
from firewall.verdict import Deny

_refusal = lru_cache(maxsize=4096)(refusal)


class Locate(Step):
    name = "locate"

    def __call__(self, passage: Passage) -> Awaitable[Route] | None:
        action, destinations, verdict = passage.with_action(), passage.destinations, passage.verdict
        if destinations is None or isinstance(verdict, Deny):
            raise AssertionError("locate is for what is not denied")
        if action.port not in destinations.ports:
            raise DeniedByPolicy(f"the policy names no port {action.port}", rules=verdict.rules, revision=verdict.revision)
        if action.opaque and not destinations.passes_through(action.host):
            # CONNECT was judged by the active policy, which may be another by now.
            raise DeniedByPolicy("the policy passes no such host through", rules=verdict.rules, revision=verdict.revision)
        route = self.services.resolver.known(action.host, action.port)
        if route is None:
            return self.services.resolver.route(action.host, action.port)
        self.answered(passage, route)
        return None

    def answered(self, passage: Passage, result: Route) -> None:
        action, destinations, verdict = passage.with_action(), passage.destinations, passage.verdict
        if destinations is None or isinstance(verdict, Deny):
            raise AssertionError("locate is for what is not denied")
        if result.unchecked and not result.exempt:
            if destinations.naming_rules.isdisjoint(verdict.rules):
                unnamed = f"an upstream proxy resolves {action.host}, and no rule that decided names that host"
                raise AddressRefused(unnamed, rules=verdict.rules, revision=verdict.revision)
        elif not result.exempt:
            for address in result.addresses:
                why = _refusal(address, destinations.allow_private)
                if why is None and self.services.own_sockets(address, result.port):
                    why = f"{address} port {result.port} is a socket of this firewall"
                if why is not None:
                    raise AddressRefused(f"{action.host}: {why}", rules=verdict.rules, revision=verdict.revision)
        passage.route = result
