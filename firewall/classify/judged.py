"""A request as the action that policies judge and people read."""

from firewall.action import Action
from firewall.classify import classify
from firewall.classify.known import Known
from firewall.classify.overrides import refuse_overrides
from firewall.ids import ActionId, AgentId
from firewall.request import Request, refuse_slashes


def action_of(request: Request, known: Known, *, identifier: ActionId, agent: str, agent_id: AgentId) -> Action:
    """Raises Malformed for what could be read in two ways, as far as only its meaning tells."""
    meaning = classify(request, known)
    if not meaning.slashes:
        refuse_slashes(request)
    refuse_overrides(meaning)
    return Action(
        id=identifier,
        agent=agent,
        agent_id=agent_id,
        service=meaning.service,
        operation=meaning.operation,
        kind=meaning.kind,
        risk=meaning.risk,
        resource=meaning.resource,
        details=meaning.details,
        destinations=meaning.destinations,
        iam_action=meaning.iam_action,
        catalog=meaning.catalog,
        overrides=meaning.overrides,
        truncated=request.truncated,
        method=request.method,
        scheme=request.scheme,
        host=request.host,
        port=request.port,
        path=request.path,
        segments=request.segments,
        query=request.query,
    )
