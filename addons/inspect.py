"""Looks at the payload and at literal addresses. Detectors come later, so `findings` stays empty."""

from addons.passage import Passage, Step
from firewall.address import literal, refusal
from firewall.errors import AddressRefused


class Inspect(Step):
    name = "inspect"

    async def __call__(self, passage: Passage) -> None:
        action = passage.with_action()
        address = literal(action.host)
        if address is None:
            return
        active = self.services.revisions.active
        destinations = None if active is None else self.services.revisions.kept(active)
        why = refusal(address, () if destinations is None else destinations.allow_private)
        if why is not None and not (await self.services.resolver.route(action.host, action.port)).exempt:
            raise AddressRefused(why)
