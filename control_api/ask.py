"""An action that came by API, and what the engine says of it."""

from collections.abc import Mapping

import orjson

from control_api.faults import Conflict, Invalid, Unavailable
from control_api.models import Submission
from control_api.route import Call
from firewall.action import Action, Kind, Risk, Source
from firewall.audit.entry import canonical
from firewall.classify import submitted
from firewall.digest import digest_api
from firewall.ids import ActionId
from firewall.ports import Agent
from firewall.question import question
from firewall.reads import ActionRecord
from firewall.verdict import Deny, Verdict

PARAMS_BYTES = 64 << 10


async def decide(call: Call, action: Action) -> Verdict:
    """What the engine says, if the revision that says it is one that was stored. Raises EngineUnavailable."""
    opa = call.context.opa
    if opa is None:
        raise Unavailable("OPA_URL is not set: no policy engine can be asked")
    asked = question(action, now=call.context.now(), source_ip=call.request.remote or "", counts={})
    verdict = await opa.engine.decide(asked)
    if isinstance(verdict, Deny) and not verdict.revision:
        return verdict
    if verdict.revision and await call.context.revisions.find(verdict.revision) is not None:
        return verdict
    return Deny(reason="decided by a policy revision that nobody stored", rules=verdict.rules)


def canonical_params(given: Submission) -> bytes:
    """`{operation, params, tool}` as it is hashed. Raises Invalid for what has no canonical form, or is too large."""
    try:
        text = canonical({"tool": given.tool, "operation": given.operation, "params": given.params})
    except (TypeError, ValueError):
        raise _invalid("a number that has no exact form: use integers below 2^53, or text") from None
    if len(text) > PARAMS_BYTES:
        raise _invalid(f"larger than {PARAMS_BYTES} bytes")
    return text


def build(call: Call, agent: Agent, given: Submission) -> Action:
    classified = submitted(given.tool, given.operation)
    digest = digest_api(
        agent_id=agent.id, tool=given.tool, operation=given.operation, params=given.params, key=call.context.digest_key
    )
    return Action(
        id=ActionId(call.context.new_id("act")),
        agent=agent.name,
        agent_id=agent.id,
        service=classified.service,
        operation=classified.operation,
        kind=classified.kind,
        risk=classified.risk,
        resource=classified.resource,
        method="API",
        scheme="api",
        host="",
        port=0,
        path="/",
        segments=(),
        digest=digest,
        source=Source.API,
    )


def rebuild(record: ActionRecord) -> Action:
    """The action as it was submitted, from what was recorded. Raises Conflict when that was erased."""
    if record.parts is None or "digest" not in record.parts:
        raise Conflict("what was submitted has been erased")
    service, _, operation = record.name.partition(":")
    return Action(
        id=record.id,
        agent=record.agent,
        agent_id=record.agent_id,
        service=service,
        operation=operation,
        kind=Kind(record.kind),
        risk=Risk(record.risk),
        resource=resource(record.parts) or {},
        method=record.method,
        scheme=record.scheme,
        host=record.host,
        port=record.port,
        path="/",
        segments=(),
        digest=record.parts["digest"].decode(),
        source=Source.API,
        approval_id=record.approval_id,
    )


def resource(parts: Mapping[str, bytes]) -> dict[str, str]:
    found: dict[str, str] = orjson.loads(parts.get("resource", b"{}"))
    return found


def _invalid(message: str) -> Invalid:
    return Invalid("body: /params", errors=[{"path": "/params", "message": message}])
