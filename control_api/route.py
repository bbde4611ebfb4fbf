"""A row of the route table, what its handler is called with, and what it answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from control_api.body import BODY_BYTES
from control_api.callers import Caller, Role
from control_api.context import Context
from control_api.faults import NotFound
from firewall.ids import Prefix, to_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that has passed every gate. `query` and `body` are instances of the row's models, when it has any."""

    context: Context
    caller: Caller
    request: web.Request
    query: Any = None
    body: Any = None

    def id(self, prefix: Prefix, name: str = "id") -> str:
        """The identifier in the path. What is no identifier names nothing: NotFound."""
        text = self.request.match_info[name]
        try:
            if text == f"{prefix}_{to_uuid(text).hex}":
                return text
        except ValueError:
            pass
        raise NotFound(f"no {prefix}_… identifier: {text[:64]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`content`: a model, or bytes of the row's media type. `status` None: the row's."""

    content: BaseModel | bytes
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Awaitable[Answer | web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`answer` None: the content is no JSON of a model; `media` says what it is. `body_bytes`: how long a body may be."""

    method: str
    path: str
    handler: Handler
    roles: frozenset[Role]
    summary: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    media: str = "application/json"
    body_bytes: int = BODY_BYTES
