"""The bodies and query strings that the API takes and gives. OpenAPI is generated from these."""

from control_api.models.actions import ActionQuery, Actions, ActionShown, Submission, Wait
from control_api.models.approvals import ApprovalDetailShown, ApprovalQuery, Approvals, ApprovalShown, Approve, Deny, Vote
from control_api.models.audit import Bad, Entries, EntryQuery, EntryShown, HeadShown, Verified
from control_api.models.base import Dependency, Done, FieldProblem, Live, Nothing, Page, Problem, Ready
from control_api.models.people import (
    AgentCredential,
    Agents,
    AgentShown,
    KeyCreated,
    Keys,
    KeyShown,
    NewAgent,
    NewKey,
    NewToken,
)
from control_api.models.policy import Policies, PolicyChecked, PolicyDocument, PolicyProblem, PolicyShown

__all__ = [
    "ActionQuery",
    "ActionShown",
    "Actions",
    "AgentCredential",
    "AgentShown",
    "Agents",
    "ApprovalDetailShown",
    "ApprovalQuery",
    "ApprovalShown",
    "Approvals",
    "Approve",
    "Bad",
    "Deny",
    "Dependency",
    "Done",
    "Entries",
    "EntryQuery",
    "EntryShown",
    "FieldProblem",
    "HeadShown",
    "KeyCreated",
    "KeyShown",
    "Keys",
    "Live",
    "NewAgent",
    "NewKey",
    "NewToken",
    "Nothing",
    "Page",
    "Policies",
    "PolicyChecked",
    "PolicyDocument",
    "PolicyProblem",
    "PolicyShown",
    "Problem",
    "Ready",
    "Submission",
    "Verified",
    "Vote",
    "Wait",
]
