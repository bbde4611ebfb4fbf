"""Makes the first admin key of an installation, and prints it, once: `python /opt/aaf/first_key.py NAME`.

For where no `aaf up` makes one. It needs what the control API needs (DATABASE_URL, ENCRYPTION_MASTER_KEY), goes through
the audit chain like any other key, and refuses where a live admin key exists: whoever has that one makes further keys with it.
"""

import asyncio
import hashlib
import secrets
import sys
import time

import asyncpg

from firewall.audit.entry import Event
from firewall.audit.events import key_event
from firewall.backends.postgres.store import Store, UnsafeRole
from firewall.errors import LedgerUnavailable
from firewall.ids import new_id
from firewall.ports import Appended, CreateKey, Item
from firewall.seal import Sealer
from firewall.settings import BadSettings, decode_key, load

_ANY = """
select exists (select from aaf.api_keys
               where role = 'admin' and revoked_at is null and (expires_at is null or expires_at > clock_timestamp()))
"""


async def first_key(store: Store, name: str) -> str | None:
    """The new key, or None where an admin key exists."""
    if await store.pool.fetchval(_ANY):
        return None
    key, key_id = secrets.token_urlsafe(32), new_id("key", time.time_ns() // 1_000_000)
    change = CreateKey(key_id=key_id, name=name, role="admin", key_hash=hashlib.sha256(key.encode()).digest())
    entry = key_event(Event.KEY_CREATED, key_id, name=name, role="admin", by="first key")
    return key if isinstance(await store.ledger.append(Item(drafts=(entry,), change=change)), Appended) else None


async def run(name: str) -> int:
    settings = load()
    if settings.database_url is None or settings.master_key is None:
        sys.stderr.write("DATABASE_URL and ENCRYPTION_MASTER_KEY are required\n")
        return 2
    store = await Store.connect(
        settings.database_url.get_secret_value(), sealer=Sealer(decode_key(settings.master_key)), process="api"
    )
    try:
        key = await first_key(store, name)
    finally:
        await store.close()
    if key is None:
        sys.stderr.write("there is an admin key already: make further ones with it (`aaf key create`)\n")
        return 1
    sys.stdout.write(f"{key}\n")
    return 0


def main() -> int:
    if len(sys.argv) != 2 or not sys.argv[1].strip():
        sys.stderr.write("usage: first_key.py NAME   (the person it is for; the name stands in the audit log)\n")
        return 2
    try:
        return asyncio.run(run(sys.argv[1]))
    except BadSettings as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except (UnsafeRole, LedgerUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        sys.stderr.write(f"DATABASE_URL: {type(error).__name__}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
