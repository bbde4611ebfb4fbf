"""How much memory the bodies take that are read before they may leave: to be judged, or to wait for an approver."""

from addons.passage import Passage


class Memory:
    """All such bodies of this process together. `taken`: bytes."""

    def __init__(self) -> None:
        self.taken = 0

    def set_aside(self, passage: Passage, wanted: int, *, limit: int) -> bool:
        """Room for `wanted` bytes of this request's body, in place of what it has; False when all of them would pass `limit`."""
        if self.taken - passage.held_bytes + wanted > limit:
            return False
        self.taken += wanted - passage.held_bytes
        passage.held_bytes = wanted
        return True

    def give_back(self, passage: Passage) -> None:
        self.taken -= passage.held_bytes
        passage.held_bytes = 0
