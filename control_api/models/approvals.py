"""Approvals and votes."""

from datetime import datetime
from typing import Any

from control_api.models.base import Comment, Given, Page, Shown
from firewall.approval import State


class ApprovalQuery(Page):
    status: State | None = None


class Approve(Given):
    comment: Comment = ""


class Deny(Given):
    reason: Comment = ""


class ApprovalShown(Shown):
    id: str
    status: State
    agent: str
    agent_id: str
    action_id: str
    name: str
    kind: str
    risk: str
    method: str
    host: str
    reason: str
    rules: list[str]
    revision: str
    digest: str
    quorum: int
    approvers: list[str]
    requested_at: datetime
    expires_at: datetime
    grant_until: datetime | None
    decided_at: datetime | None
    decided_by: str | None
    comment: str | None
    spent_by: str | None


class Vote(Shown):
    voter: str
    choice: str
    comment: str
    at: datetime


class ApprovalDetailShown(ApprovalShown):
    """`summary`: what the request would do, redacted; null when it cannot be opened any more."""

    summary: dict[str, Any] | None
    votes: list[Vote]


class Approvals(Shown):
    data: list[ApprovalShown]
    next_cursor: str | None
