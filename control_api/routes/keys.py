"""API keys of people. A key is shown once; what is stored is its SHA-256."""

from datetime import timedelta

from control_api import cursor
from control_api.faults import Conflict, NotFound
from control_api.models import Done, KeyCreated, Keys, KeyShown, NewKey, Page
from control_api.route import Answer, Call
from control_api.routes.agents import digest, new_secret
from firewall.audit.entry import Event
from firewall.audit.events import key_event
from firewall.ids import KeyId
from firewall.ports import CreateKey, Item, Lost, RevokeKey


async def listed(call: Call) -> Answer:
    query: Page = call.query
    before = cursor.identifier(query.cursor, "key")
    rows = await call.context.reads.keys(before=None if before is None else KeyId(before), limit=query.limit + 1)
    rows, next_cursor = cursor.page(rows, query.limit, lambda row: row.id)
    data = [
        KeyShown(
            id=row.id,
            role=row.role,
            name=row.name,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )
        for row in rows
    ]
    return Answer(content=Keys(data=data, next_cursor=next_cursor))


async def create(call: Call) -> Answer:
    given: NewKey = call.body
    key_id, key = call.context.new_id("key"), new_secret()
    expires_at = None if given.expires_in is None else call.context.now() + timedelta(seconds=given.expires_in)
    change = CreateKey(key_id=key_id, name=given.name, role=given.role, key_hash=digest(key), expires_at=expires_at)
    draft = key_event(Event.KEY_CREATED, key_id, name=given.name, role=given.role, by=call.caller.name)
    outcome = await call.context.ledger.append(Item(drafts=(draft,), change=change))
    if isinstance(outcome, Lost):
        raise Conflict("there is such a key")
    return Answer(content=KeyCreated(id=key_id, role=given.role, name=given.name, key=key, expires_at=expires_at))


async def revoke(call: Call) -> Answer:
    key_id = KeyId(call.id("key"))
    key = await call.context.reads.key_by_id(key_id)
    if key is None or key.revoked_at is not None:
        raise NotFound("no such key")
    draft = key_event(Event.KEY_REVOKED, key_id, name=key.name, role=key.role, by=call.caller.name)
    outcome = await call.context.ledger.append(Item(drafts=(draft,), change=RevokeKey(key_id=key_id)))
    if isinstance(outcome, Lost):
        raise NotFound("no such key")
    return Answer(content=Done(id=key_id))
