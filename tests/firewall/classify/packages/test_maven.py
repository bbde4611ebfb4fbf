"""Maven artefacts by the form of their protocol."""

import pytest

from firewall.classify.packages import Packages
from tests.firewall.classify.vectors import Vector, check, load


@pytest.mark.parametrize("vector", load("packages.json", "maven: "), ids=str)
def test_a_request_is_called_what_the_protocol_calls_it(vector: Vector) -> None:
    check(vector, (Packages(),))
