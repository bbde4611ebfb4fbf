import pytest

from addons.passage import KEY, passage_of
from firewall.errors import Malformed
from firewall.verdict import NOT_DECIDED, Deny
from tests.addons.made import Made


async def test_a_passage_is_born_denied() -> None:
    passage = Made().passage()
    assert passage.verdict is NOT_DECIDED
    assert isinstance(passage.verdict, Deny)
    assert [passage.recorded, passage.released, passage.approved] == [False, False, False]


async def test_what_no_step_established_cannot_be_asked_for() -> None:
    passage = Made().passage()
    with pytest.raises(AssertionError):
        passage.with_credential()
    with pytest.raises(AssertionError):
        passage.with_action()


async def test_only_what_was_recorded_as_allowed_owes_an_outcome() -> None:
    passage = Made().passage()
    assert not passage.owes_outcome
    passage.recorded = True
    assert passage.owes_outcome
    passage.refusal = Malformed("no")
    assert not passage.owes_outcome


async def test_a_flow_without_a_passage_has_none() -> None:
    passage = Made().passage()
    assert passage_of(passage.flow) is None
    passage.flow.metadata[KEY] = "something else"
    assert passage_of(passage.flow) is None
    passage.flow.metadata[KEY] = passage
    assert passage_of(passage.flow) is passage
