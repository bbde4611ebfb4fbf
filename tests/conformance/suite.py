"""What every suite is given, and what it gives back."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.parts import Agent
from tests.e2e.pki import Pair

DESTINATIONS = ("h2spec", "fuzz", "echo", "grpc")
"""Each a host of this name below `.test`. What a suite's own client reaches by a tunnel that it does not know of is `localhost`
on the port of that tunnel instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A gateway that runs. `tools`: the suites' programs. `pair`: of every destination. `ports`: where each destination has to
    listen. `tunnels`: where the way to each begins, for clients that know no proxy. `ca_file`: the gateway's."""

    tools: Path
    folder: Path
    agent: Agent
    ca_file: Path
    pair: Pair
    ports: dict[str, int]
    tunnels: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`failed`: names of cases, with what is known of why."""

    passed: int
    failed: tuple[str, ...]


Suite = Callable[[Scene], Coroutine[Any, Any, Result]]
