from addons.arrest import Arrest
from addons.walk import take
from tests.addons.made import Made


async def test_a_403_stands_on_the_flow_from_the_beginning() -> None:
    made = Made()
    passage = made.passage()
    await take(Arrest(made.services), passage)
    response = passage.flow.response
    assert response is not None
    assert (response.status_code, passage.flow.request.stream, passage.released) == (403, False, False)
    assert b"not decided" in (response.raw_content or b"")
