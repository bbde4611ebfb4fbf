"""Actions: submit one without the proxy, begin an approved one, and read what was decided. Agents see their own alone."""

from typing import Literal

from control_api import ask, cursor
from control_api.faults import Invalid, NotFound
from control_api.models import ActionQuery, Actions, ActionShown, Submission, Wait
from control_api.route import Answer, Call
from control_api.start import start as begin
from control_api.submit import submit as submit_action
from control_api.submit import wait_again
from firewall.approval import State
from firewall.ids import ActionId, ApprovalId, to_uuid
from firewall.phrase import phrase, title
from firewall.reads import ActionFilter, ActionRecord
from firewall.redact import masked_path, masked_query

Decision = Literal["allow", "deny", "pending", "error"]


async def submit(call: Call) -> Answer:
    agent = call.caller.agent
    if agent is None:
        raise NotFound("only agents submit actions")
    given: Submission = call.body
    wait: Wait = call.query
    action_id, replayed = await submit_action(call, agent, given, wait.wait)
    record = await _record(call, action_id)
    if replayed and record.approval_id is not None and decision(record) == "pending":
        await wait_again(call, record.approval_id, agent, wait.wait)
        record = await _record(call, action_id)
    shown = _shown(record)
    headers = {"X-AAF-Decision": shown.decision, "X-AAF-Action": shown.id, "Location": f"/v1/actions/{shown.id}"}
    return Answer(content=shown, status=200 if replayed else 201, headers=headers)


async def start(call: Call) -> Answer:
    record = await _record(call, ActionId(call.id("act")))
    if record.source != "api":
        raise NotFound("no such action")
    await begin(call, record)
    return Answer(content=_shown(await _record(call, record.id)))


async def show(call: Call) -> Answer:
    return Answer(content=_shown(await _record(call, ActionId(call.id("act")))))


async def listed(call: Call) -> Answer:
    query: ActionQuery = call.query
    before = cursor.identifier(query.cursor, "act")
    which = ActionFilter(
        agent=query.agent,
        agent_id=call.caller.agent_id,
        name=query.name,
        effect=query.effect,
        host=query.host,
        source=query.source,
        approval_id=_approval_id(query.approval_id),
    )
    rows = await call.context.reads.actions(which, before=None if before is None else ActionId(before), limit=query.limit + 1)
    rows, next_cursor = cursor.page(rows, query.limit, lambda row: row.id)
    return Answer(content=Actions(data=[_shown(row) for row in rows], next_cursor=next_cursor))


async def _record(call: Call, action_id: ActionId) -> ActionRecord:
    record = await call.context.reads.action(action_id)
    if record is None or call.caller.agent_id not in (None, record.agent_id):
        raise NotFound("no such action")
    return record


def _approval_id(text: str | None) -> ApprovalId | None:
    if text is None:
        return None
    try:
        if text == f"apr_{to_uuid(text).hex}":
            return ApprovalId(text)
    except ValueError:
        pass
    raise Invalid("query: /approval_id", errors=[{"path": "/approval_id", "message": "not an identifier of an approval"}])


def _shown(record: ActionRecord) -> ActionShown:
    service, _, operation = record.name.partition(":")
    parts = record.parts
    resource = None if parts is None else ask.resource(parts)
    path = None if parts is None else _text(parts.get("path", b""))
    return ActionShown(
        id=record.id,
        title=title(name=record.name, resource=resource or {}, host=record.host, path=masked_path(path or "")),
        doing=phrase(
            service=service,
            operation=operation,
            kind=record.kind,
            resource=resource or {},
            method=record.method,
            path=masked_path(path or ""),
            source=record.source,
        ),
        at=record.at,
        agent=record.agent,
        agent_id=record.agent_id,
        service=service,
        operation=operation,
        name=record.name,
        kind=record.kind,
        risk=record.risk,
        method=record.method,
        scheme=record.scheme,
        host=record.host,
        port=record.port,
        path=path,
        query=None if parts is None else masked_query(_text(parts.get("query", b""))),
        resource=resource,
        digest=None if parts is None else _text(parts.get("digest", b"")),
        source=record.source,
        decision=decision(record),
        effect=record.effect,
        code=None if record.effect == "allow" else record.code,  # a pending one that was started was held by that code
        reason=None if parts is None else _text(parts.get("reason", b"")),
        rules=list(record.rules),
        revision=record.revision,
        approval_id=record.approval_id,
        approval_state=record.approval_state,
        started=record.approval_spent_by == record.id,
        seq=record.decided_seq,
        outcome=record.outcome,
        status=record.status,
        request_bytes=record.request_bytes,
        response_bytes=record.response_bytes,
        duration_ms=record.duration_ms,
    )


def decision(record: ActionRecord) -> Decision:
    """What counts now. An action by API outlives its connection, so its approval may have moved on since it was recorded."""
    effect: Decision
    match record.effect:
        case "allow" | "pending" as recorded:
            effect = "allow" if recorded == "allow" else "pending"
        case "error":
            return "error"
        case _:
            return "deny"
    if record.source != "api" or record.approval_id is None or record.approval_spent_by == record.id:
        return effect
    match record.approval_state:
        case State.APPROVED:
            return "allow"
        case State.PENDING:
            return "pending"
        case _:
            return "deny"


def _text(part: bytes) -> str:
    return part.decode("utf-8", "replace")
