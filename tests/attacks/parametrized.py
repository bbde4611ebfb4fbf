"""Vectors as the parameters of a test."""

from collections.abc import Iterable
from typing import Any

import pytest


def parametrized(families: Iterable[Any], side: str) -> list[Any]:
    """Every vector of the families of one side, each under its family's name and its own."""
    return [
        pytest.param(vector, id=f"{family.name}: {vector.attack}")
        for family in families
        if family.side == side
        for vector in family.vectors
    ]
