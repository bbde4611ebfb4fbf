"""Agents and their credentials. A token is shown once; what is stored is its SHA-256."""

import hashlib
import secrets
from datetime import timedelta

from control_api import cursor
from control_api.faults import Conflict, NotFound
from control_api.models import AgentCredential, Agents, AgentShown, Done, NewAgent, NewToken, Page
from control_api.route import Answer, Call
from firewall.audit.entry import Event
from firewall.audit.events import agent_event
from firewall.ids import AgentId, TokenId
from firewall.ports import AddToken, Change, CreateAgent, DisableAgent, Item, Lost, RevokeToken
from firewall.reads import AgentRecord

ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 (compared with, not bound)


async def listed(call: Call) -> Answer:
    query: Page = call.query
    before = cursor.identifier(query.cursor, "agt")
    rows = await call.context.reads.agents(before=None if before is None else AgentId(before), limit=query.limit + 1)
    rows, next_cursor = cursor.page(rows, query.limit, lambda row: row.id)
    return Answer(content=Agents(data=[_shown(row) for row in rows], next_cursor=next_cursor))


async def create(call: Call) -> Answer:
    given: NewAgent = call.body
    agent_id, token_id = AgentId(call.context.new_id("agt")), call.context.new_id("tok")
    token = new_secret()
    change = CreateAgent(
        agent_id=agent_id, name=given.name, token_id=token_id, token_hash=digest(token), hold_seconds=given.hold_seconds
    )
    await _append(call, Event.AGENT_CREATED, agent_id, given.name, token_id, change)
    return Answer(content=_credential(call, agent_id, given.name, token_id, token))


async def rotate(call: Call) -> Answer:
    agent = await _agent(call)
    return await _add_token(call, agent, expires_in=None, revoke_others=True)


async def add_token(call: Call) -> Answer:
    given: NewToken = call.body
    return await _add_token(call, await _agent(call), expires_in=given.expires_in, revoke_others=False)


async def revoke_token(call: Call) -> Answer:
    agent = await _agent(call)
    token_id = TokenId(call.id("tok", "token_id"))
    await _append(call, Event.AGENT_ROTATED, agent.id, agent.name, token_id, RevokeToken(agent_id=agent.id, token_id=token_id))
    return Answer(content=Done(id=token_id))


async def disable(call: Call) -> Answer:
    agent = await _agent(call)
    await _append(call, Event.AGENT_DISABLED, agent.id, agent.name, None, DisableAgent(agent_id=agent.id))
    return Answer(content=Done(id=agent.id))


async def _add_token(call: Call, agent: AgentRecord, *, expires_in: int | None, revoke_others: bool) -> Answer:
    token_id, token = call.context.new_id("tok"), new_secret()
    change = AddToken(
        agent_id=agent.id,
        token_id=token_id,
        token_hash=digest(token),
        expires_at=None if expires_in is None else call.context.now() + timedelta(seconds=expires_in),
        revoke_others=revoke_others,
    )
    await _append(call, Event.AGENT_ROTATED, agent.id, agent.name, token_id, change)
    shown = _credential(call, agent.id, agent.name, token_id, token)
    return Answer(content=shown.model_copy(update={"expires_at": change.expires_at}))


async def _agent(call: Call) -> AgentRecord:
    agent = await call.context.reads.agent(AgentId(call.id("agt")))
    if agent is None:
        raise NotFound("no such agent")
    return agent


async def _append(call: Call, event: Event, agent: AgentId, name: str, token: str | None, change: Change) -> None:
    draft = agent_event(event, agent, name, by=call.caller.name, token=token)
    outcome = await call.context.ledger.append(Item(drafts=(draft,), change=change))
    if not isinstance(outcome, Lost):
        return
    match outcome.code:
        case "missing":
            raise NotFound("no such agent or token")
        case "exists":
            raise Conflict(f"there is an agent named {name}")
        case "agent-disabled":
            raise Conflict("the agent is disabled")
        case code:
            raise Conflict(code)


def _credential(call: Call, agent_id: str, name: str, token_id: str, token: str) -> AgentCredential:
    settings = call.context.settings
    scheme = "http" if settings.tls_cert_file is None else "https"
    host = settings.proxy_host if settings.proxy_host not in ANYWHERE else call.request.url.host or "localhost"
    host = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{name}:{token}@{host}:{settings.proxy_port}"
    return AgentCredential(id=agent_id, name=name, token_id=token_id, token=token, proxy_url=url)


def _shown(row: AgentRecord) -> AgentShown:
    return AgentShown(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        enabled=row.disabled_at is None,
        disabled_at=row.disabled_at,
        hold_seconds=row.hold_seconds,
        tokens=list(row.live_tokens),
    )


def new_secret() -> str:
    """43 characters of `[A-Za-z0-9_-]`: 256 bits."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
