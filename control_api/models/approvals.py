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


class CardField(Shown):
    name: str
    value: str


class CardShown(Shown):
    """What is asked for, in words: nothing secret in it, nothing that hides. `fields` in the order in which they should be read;
    `body`: an excerpt, in lines; `body_note`: what and how much the body is."""

    title: str
    sentence: str
    fields: list[CardField]
    body: str
    body_note: str


class ApprovalShown(Shown):
    """`title`: one line, `github:issues/create on octo/hello`; `sentence`: who wants to do what, where."""

    id: str
    status: State
    title: str
    sentence: str
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
    """`card`: what the request would do, as an approver should read it; `summary`: the request itself, redacted. Both are null
    when they cannot be opened any more."""

    card: CardShown | None
    summary: dict[str, Any] | None
    votes: list[Vote]


class Approvals(Shown):
    data: list[ApprovalShown]
    next_cursor: str | None
