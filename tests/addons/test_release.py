from hashlib import sha256

import pytest

from addons.arrest import Arrest
from addons.passage import Passage
from addons.release import Release
from addons.walk import take
from firewall.errors import Abandoned, AgentDisabled, Malformed
from tests.addons.made import Made


async def recorded(made: Made, content: bytes = b"") -> Passage:
    passage = made.classified(method="POST", content=content)
    await take(Arrest(made.services), passage)
    passage.recorded, passage.whole = True, True
    return passage


async def test_the_arrest_is_lifted_last() -> None:
    made = Made()
    passage = await recorded(made, b"body")
    await take(Release(made.services), passage)
    assert (passage.flow.response, passage.released) == (None, True)
    assert (passage.request_bytes, passage.request_hash.digest()) == (4, sha256(b"body").digest())


async def test_a_body_that_was_not_read_streams_and_is_hashed_as_it_goes() -> None:
    made = Made()
    passage = await recorded(made)
    passage.whole = False
    await take(Release(made.services), passage)
    through = passage.flow.request.stream
    assert callable(through)
    assert [through(part) for part in (b"one", b"two", b"")] == [b"one", b"two", b""]
    assert (passage.request_bytes, passage.request_hash.digest()) == (6, sha256(b"onetwo").digest())


@pytest.mark.parametrize("state", ["not recorded", "refused"])
async def test_what_is_not_on_record_as_allowed_is_never_released(state: str) -> None:
    made = Made()
    passage = await recorded(made)
    if state == "not recorded":
        passage.recorded = False
    else:
        passage.refusal = Malformed("no")
    with pytest.raises(AssertionError):
        await take(Release(made.services), passage)
    assert passage.flow.response is not None


async def test_an_agent_disabled_meanwhile_is_not_released() -> None:
    made = Made()
    passage = await recorded(made)
    made.agents.disable()
    with pytest.raises(AgentDisabled):
        await take(Release(made.services), passage)
    assert (passage.released, passage.flow.response is None) == (False, False)


async def test_a_client_that_left_meanwhile_is_not_released() -> None:
    made = Made()
    passage = await recorded(made)
    passage.left = True
    with pytest.raises(Abandoned):
        await take(Release(made.services), passage)
    assert (passage.released, passage.flow.response is None) == (False, False)
