"""Looks at the payload and at literal addresses. Detectors come later, so `findings` stays empty."""

from collections.abc import Awaitable

from addons.passage import Passage, Step
from firewall.address import literal, refusal
from firewall.errors import AddressRefused


class Inspect(Step):
    name = "inspect"

    def __call__(self, passage: Passage) -> Awaitable[None] | None:
        action = passage.with_action()
        address = literal(action.host)
        if address is None:
            return None
        destinations = self.services.destinations()
        why = refusal(address, () if destinations is None else destinations.allow_private)
        return None if why is None else self._unless_exempt(passage, why)

    async def _unless_exempt(self, passage: Passage, why: str) -> None:
        action = passage.with_action()
        if not (await self.services.resolver.route(action.host, action.port)).exempt:
            raise AddressRefused(why)
