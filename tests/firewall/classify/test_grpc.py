"""A gRPC call goes by its method's own name, which may raise its kind and never lowers it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Kind
from firewall.classify.grpc import Grpc, method_kind
from tests.firewall.classify.vectors import Vector, check, load


@pytest.mark.parametrize("vector", load("grpc.json"), ids=str)
def test_a_call_is_called_what_its_path_says(vector: Vector) -> None:
    check(vector, (Grpc(),))


@given(st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,40}\Z"))
def test_no_name_makes_a_call_milder_than_a_write(method: str) -> None:
    assert method_kind(method) in {Kind.WRITE, Kind.EXECUTE, Kind.DELETE}
