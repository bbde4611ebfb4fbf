"""The entries that this version writes, one function an event type: what stands in clear and what only as a commitment
(SEMANTICS 4; docs/audit-format.md lists the same fields)."""

from collections.abc import Sequence

import orjson

from firewall.action import Action
from firewall.approval import Choice
from firewall.audit.entry import Draft, Event, Value
from firewall.ids import ActionId, AgentId, ApprovalId

UNCHECKED = "unchecked"
"""Stands for the address where an upstream proxy resolves the name."""


def _action_fields(action: Action) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "action": action.id,
        "agent": action.agent_id,
        "agent_name": action.agent,
        "name": action.name,
        "kind": action.kind.value,
        "risk": action.risk.value,
        "method": action.method,
        "scheme": action.scheme,
        "host": action.host,
        "port": action.port,
        "source": action.source.value,
    }
    if action.opaque:
        fields["opaque"] = True
    if action.catalog is not None:
        fields["catalog"] = action.catalog
    return fields


def _action_parts(action: Action) -> dict[str, bytes]:
    parts = {"path": action.path.encode()}
    if action.query:
        parts["query"] = action.query.encode()
    if action.resource:
        parts["resource"] = orjson.dumps(dict(action.resource))  # in the order in which it is read
    if action.digest:
        parts["digest"] = action.digest.encode()
    return parts


def decided(
    action: Action,
    *,
    effect: str,
    code: str | None,
    reason: str,
    rules: tuple[str, ...],
    revision: str,
    approval: ApprovalId | None = None,
    address: str | None = None,
) -> Draft:
    """Exactly one an attempt. `effect`: allow, deny, pending or error; `code`: which way it was refused, if it was."""
    fields = _action_fields(action)
    fields["effect"] = effect
    fields["rules"] = list(rules)
    fields["revision"] = revision
    if code is not None:
        fields["code"] = code
    if approval is not None:
        fields["approval"] = approval
    if address is not None:
        fields["address"] = address
    parts = _action_parts(action)
    parts["reason"] = reason.encode()
    return Draft(event=Event.ACTION_DECIDED, fields=fields, parts=parts)


def settled(
    action: ActionId,
    agent: AgentId,
    *,
    failure: str | None,
    status: int | None,
    request_bytes: int,
    response_bytes: int,
    duration_ms: int,
    body_sha256: bytes | None = None,
) -> Draft:
    """What came back, or that nothing did: `action.completed`, or `action.failed` with the failure's code."""
    fields: dict[str, Value] = {
        "action": action,
        "agent": agent,
        "request_bytes": request_bytes,
        "response_bytes": response_bytes,
        "duration_ms": duration_ms,
    }
    if status is not None:
        fields["status"] = status
    if failure is not None:
        fields["code"] = failure
    parts = {} if body_sha256 is None else {"body_sha256": body_sha256}
    return Draft(event=Event.ACTION_COMPLETED if failure is None else Event.ACTION_FAILED, fields=fields, parts=parts)


def requested(approval: ApprovalId, action: Action, *, rules: tuple[str, ...], revision: str, expires_in: int) -> Draft:
    fields = _action_fields(action)
    fields["approval"] = approval
    fields["rules"] = list(rules)
    fields["revision"] = revision
    fields["expires_in"] = expires_in
    return Draft(event=Event.APPROVAL_REQUESTED, fields=fields, parts=_action_parts(action))


def voted(approval: ApprovalId, *, voter: str, voter_id: str, choice: Choice, comment: str, channel: str) -> Draft:
    return Draft(
        event=Event.APPROVAL_VOTED,
        fields={"approval": approval, "approver": voter, "approver_id": voter_id, "choice": choice.value, "channel": channel},
        parts={"comment": comment.encode()} if comment else {},
    )


def approval_settled(approval: ApprovalId, *, choice: Choice, voter: str, voter_id: str) -> Draft:
    event = Event.APPROVAL_APPROVED if choice is Choice.APPROVE else Event.APPROVAL_DENIED
    return Draft(event=event, fields={"approval": approval, "approver": voter, "approver_id": voter_id})


def expired(approval: ApprovalId) -> Draft:
    return Draft(event=Event.APPROVAL_EXPIRED, fields={"approval": approval})


def grant_spent(approval: ApprovalId, action: Action) -> Draft:
    return Draft(
        event=Event.GRANT_SPENT,
        fields={"approval": approval, "action": action.id, "agent": action.agent_id, "agent_name": action.agent},
        parts={"digest": action.digest.encode()},
    )


def process_started(process: str, version: str) -> Draft:
    return Draft(event=Event.PROCESS_STARTED, fields={"process": process, "version": version})


def process_stopped(process: str) -> Draft:
    return Draft(event=Event.PROCESS_STOPPED, fields={"process": process})


def policy_activated(revision: str, author: str) -> Draft:
    return Draft(event=Event.POLICY_ACTIVATED, fields={"revision": revision, "author": author})


def agent_event(event: Event, agent: AgentId, name: str, *, by: str, token: str | None = None) -> Draft:
    """`agent.created`, `agent.rotated`, `agent.disabled`. `token`: the new token's identifier, never the token."""
    fields: dict[str, Value] = {"agent": agent, "agent_name": name, "by": by}
    if token is not None:
        fields["token"] = token
    return Draft(event=event, fields=fields)


def catalog_added(service: str, revision: str, *, hosts: Sequence[str], operations: int, by: str) -> Draft:
    """A user's catalog that is in force from now on, in the place of any other of its service."""
    fields: dict[str, Value] = {"catalog": f"{service}@{revision}", "hosts": list(hosts), "operations": operations, "by": by}
    return Draft(event=Event.CATALOG_ADDED, fields=fields)


def catalog_removed(service: str, revision: str, *, by: str) -> Draft:
    return Draft(event=Event.CATALOG_REMOVED, fields={"catalog": f"{service}@{revision}", "by": by})


def key_event(event: Event, key: str, *, name: str, role: str, by: str) -> Draft:
    """`key.created`, `key.revoked`."""
    return Draft(event=event, fields={"key": key, "key_name": name, "role": role, "by": by})
