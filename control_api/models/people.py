"""Agents, keys, and their credentials."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from control_api.models.base import AgentName, ExpiresIn, Given, PersonName, Shown


class NewAgent(Given):
    name: AgentName
    hold_seconds: Annotated[int, Field(ge=0, le=86_400)] | None = None


class NewToken(Given):
    expires_in: ExpiresIn | None = None


class AgentCredential(Shown):
    """The token is shown once."""

    id: str
    name: str
    token_id: str
    token: str
    proxy_url: str
    expires_at: datetime | None = None


class AgentShown(Shown):
    id: str
    name: str
    created_at: datetime
    enabled: bool
    disabled_at: datetime | None
    hold_seconds: int | None
    tokens: list[str]


class Agents(Shown):
    data: list[AgentShown]
    next_cursor: str | None


class NewKey(Given):
    role: Literal["admin", "approver", "auditor", "viewer"]
    name: PersonName
    expires_in: ExpiresIn | None = None


class KeyShown(Shown):
    id: str
    role: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class KeyCreated(Shown):
    """The key is shown once."""

    id: str
    role: str
    name: str
    key: str
    expires_at: datetime | None


class Keys(Shown):
    data: list[KeyShown]
    next_cursor: str | None
