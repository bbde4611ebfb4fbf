"""What `aaf up` puts into a fresh system: the master key, an admin key that lives as long as it runs, a demo agent."""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from cli.session import write_private
from firewall.audit import events
from firewall.audit.entry import Event
from firewall.backends.postgres.store import Store
from firewall.ids import AgentId, from_uuid, new_id
from firewall.ports import AddToken, CreateAgent, CreateKey, Item, Lost, RevokeKey
from firewall.settings import Settings, decode_key

DEMO = "demo"
KEY_NAME = "aaf up"

_KEYS = "select id, role from aaf.api_keys where name = $1 and revoked_at is null"
_AGENT = "select id, disabled_at is null as enabled from aaf.agents where name = $1"
_TOKEN = "select exists (select from aaf.agent_tokens where agent_id = $1 and hash = $2 and revoked_at is null)"  # noqa: S105


class KeyMissing(Exception):
    """The master key that the database's secrets are sealed with is not there, or is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminKey:
    id: str
    key: str


def master_key(settings: Settings) -> str:
    """ENCRYPTION_MASTER_KEY, or the one that is kept in the data directory; made there the first time. Raises KeyMissing."""
    if settings.master_key is not None:
        return settings.master_key.get_secret_value()
    file = settings.data_dir / "master.key"
    if file.exists():
        text = file.read_text().strip()
        try:
            decode_key(SecretStr(text))
        except ValueError as error:
            raise KeyMissing(f"{file} {error}: bring back the one that was there") from None
        return text
    if (settings.data_dir / "postgres.json").exists() or settings.database_url is not None:
        raise KeyMissing(
            f"{file} is missing: set ENCRYPTION_MASTER_KEY to the key that this database was used with"
            if settings.database_url is None
            else "set ENCRYPTION_MASTER_KEY: beside a DATABASE_URL of your own no key is made here"
        )
    text = base64.b64encode(secrets.token_bytes(32)).decode()
    write_private(file, text + "\n")
    return text


async def admin_key(store: Store) -> AdminKey:
    """A fresh admin key; those that earlier runs left behind end."""
    for row in await store.pool.fetch(_KEYS, KEY_NAME):
        await revoke(store, from_uuid("key", row["id"]))
    made = AdminKey(id=new_id("key", _now_ms()), key=secrets.token_urlsafe(32))
    change = CreateKey(key_id=made.id, name=KEY_NAME, role="admin", key_hash=hashlib.sha256(made.key.encode()).digest())
    entry = events.key_event(Event.KEY_CREATED, made.id, name=KEY_NAME, role="admin", by=KEY_NAME)
    await store.ledger.append(Item(drafts=(entry,), change=change))
    return made


async def revoke(store: Store, key_id: str) -> None:
    entry = events.key_event(Event.KEY_REVOKED, key_id, name=KEY_NAME, role="admin", by=KEY_NAME)
    await store.ledger.append(Item(drafts=(entry,), change=RevokeKey(key_id=key_id)))


async def demo_token(store: Store, data_dir: Path) -> str | None:
    """The demo agent's token, the same one as long as it is good. None when somebody disabled the agent."""
    file = data_dir / "demo.json"
    agent = await store.pool.fetchrow(_AGENT, DEMO)
    if agent is not None and not agent["enabled"]:
        return None
    if agent is not None and file.exists():
        token = str(json.loads(file.read_text())["token"])
        if await store.pool.fetchval(_TOKEN, agent["id"], hashlib.sha256(token.encode()).digest()):
            return token
    token, token_id = secrets.token_urlsafe(32), new_id("tok", _now_ms())
    digest = hashlib.sha256(token.encode()).digest()
    if agent is None:
        agent_id = AgentId(new_id("agt", _now_ms()))
        change: CreateAgent | AddToken = CreateAgent(agent_id=agent_id, name=DEMO, token_id=token_id, token_hash=digest)
        event = Event.AGENT_CREATED
    else:
        agent_id = AgentId(from_uuid("agt", agent["id"]))
        change, event = AddToken(agent_id=agent_id, token_id=token_id, token_hash=digest), Event.AGENT_ROTATED
    entry = events.agent_event(event, agent_id, DEMO, by=KEY_NAME, token=token_id)
    outcome = await store.ledger.append(Item(drafts=(entry,), change=change))
    if isinstance(outcome, Lost):
        return None
    write_private(file, json.dumps({"token": token}))
    return token


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
