"""Lifts the arrest. From here the request goes upstream, to the address that was checked."""

from collections.abc import Callable
from hashlib import sha256

from addons import metrics
from addons.passage import Passage, Step
from firewall.errors import Abandoned, AgentDisabled


class Release(Step):
    name = "release"

    def __call__(self, passage: Passage) -> None:
        if not passage.owes_outcome:
            raise AssertionError("what is not recorded came to be released")
        if not self.services.agents.is_live(passage.with_credential()):
            raise AgentDisabled("the agent's credential has ended")
        if passage.left:
            raise Abandoned("the client left before its request was sent")
        request = passage.flow.request
        if passage.whole:
            body = request.raw_content or b""
            if body:
                passage.request_bytes = len(body)
                passage.request_hash = sha256(body)
        else:
            request.stream = _through(passage)
        passage.released = True
        passage.flow.response = None
        metrics.decided(passage, "allow", self.services.clock())


def _through(passage: Passage) -> Callable[[bytes], bytes]:
    """Counts and hashes the body as it streams by."""
    passage.request_hash = sha256()
    update = passage.request_hash.update

    def through(data: bytes) -> bytes:
        passage.request_bytes += len(data)
        update(data)
        return data

    return through
