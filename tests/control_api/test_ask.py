"""What is hashed of a submission, and an action rebuilt from what was recorded."""

from dataclasses import replace

import pytest

from control_api.ask import canonical_params, rebuild
from control_api.faults import Conflict, Invalid
from control_api.models import Submission
from tests.control_api.routes.test_actions import RECORD


def test_the_order_of_keys_does_not_matter_and_every_value_does() -> None:
    def hashed(**params: object) -> bytes:
        return canonical_params(Submission(tool="a", operation="b", params=params))

    assert hashed(x=1, y={"a": 1, "b": 2}) == hashed(y={"b": 2, "a": 1}, x=1)
    assert len({hashed(x=1), hashed(x="1"), hashed(x=True), hashed(x=[1]), hashed(y=1)}) == 5


def test_numbers_without_an_exact_form_are_refused() -> None:
    with pytest.raises(Invalid):
        canonical_params(Submission(tool="a", operation="b", params={"n": 2**60}))


def test_an_action_is_rebuilt_from_its_record() -> None:
    parts = {"digest": b"sha256:ab", "resource": b'{"k":"v"}', "path": b"/"}
    action = rebuild(replace(RECORD, name="files:a:b", parts=parts))
    assert (action.service, action.operation, action.digest, action.resource) == ("files", "a:b", "sha256:ab", {"k": "v"})
    assert action.name == "files:a:b"


@pytest.mark.parametrize("parts", [None, {}])
def test_what_was_erased_cannot_be_rebuilt(parts: dict[str, bytes] | None) -> None:
    with pytest.raises(Conflict):
        rebuild(replace(RECORD, parts=parts))
