"""Policy revisions and checks."""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from control_api.models.base import Given, Shown


class PolicyShown(Shown):
    revision: str
    active: bool
    activated_at: datetime | None
    author: str
    message: str
    created_at: datetime
    document: str


class Policies(Shown):
    data: list[PolicyShown]
    next_cursor: str | None


class PolicyDocument(Given):
    document: Annotated[str, StringConstraints(max_length=1 << 19)]


class PolicyProblem(Shown):
    line: int
    path: str
    message: str


class PolicyChecked(Shown):
    valid: bool
    revision: str | None
    problems: list[PolicyProblem]
