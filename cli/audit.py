"""`aaf audit`: the chain, checked by whoever asks."""

import asyncio
from typing import Annotated, Any

import asyncpg
import typer

from cli.client import client
from cli.database import app_dsn
from cli.output import Json, emit, fail
from cli.session import settings
from firewall.audit.chain import Fault, Row, Verifier

BATCH = 2000
POLL_SECONDS = 1.0

app = typer.Typer(no_args_is_help=True, help="The audit log.")


@app.command()
def verify(json: Json = False) -> None:
    """Walks the whole chain and names the first bad entry. Reads the database, where it can; asks the control API elsewhere."""
    of = settings()
    dsn = app_dsn(of)
    found = client().post("/v1/audit/verify") if dsn is None else asyncio.run(_walk(dsn))
    bad = found["first_bad"]
    if json:
        emit(found)
    elif bad is None:
        print(f"good: {found['entries']} entries, the last leaf is {found['head']['leaf_hash']}")
    else:
        print(f"BAD: entry {bad['seq']}: {bad['reason']}")
    if bad is not None:
        raise typer.Exit(1)


@app.command()
def tail(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as entries are written.")] = False,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many to begin with.")] = 20,
    json: Json = False,
) -> None:
    """Prints the newest entries."""
    api = client()
    entries = list(reversed(api.every("/v1/audit/events", limit=limit)))
    for entry in entries:
        _print(entry["entry"] or {}, entry["seq"], json)
    if follow:
        for _, data in api.events("/v1/events"):
            _print(data, data.get("seq"), json)


def _print(entry: Any, seq: object, json: bool) -> None:
    if json:
        emit({"seq": seq} | entry)
    else:
        shown = ("event", "agent_name", "name", "host", "effect", "code", "status", "approver", "action", "approval")
        print(seq, entry.get("time"), *(f"{entry[field]}" for field in shown if entry.get(field) is not None))


async def _walk(dsn: str) -> dict[str, Any]:
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        fail(f"the database cannot be reached: {error}")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            head = await connection.fetchrow("select origin, size, last_leaf from aaf.audit_head")
            verifier = Verifier(head["origin"])
            bad: Fault | None = None
            while bad is None:
                rows = await connection.fetch(
                    "select seq, event_hash, leaf_hash, body from aaf.audit_log where seq >= $1 order by seq limit $2",
                    verifier.size,
                    BATCH,
                )
                for row in rows:
                    bad = verifier.feed(
                        Row(seq=row["seq"], event_hash=row["event_hash"], leaf_hash=row["leaf_hash"], body=row["body"])
                    )
                    if bad is not None:
                        break
                if not rows:
                    break
            bad = bad or verifier.finish(head["size"], head["last_leaf"])
    finally:
        await connection.close()
    return {
        "ok": bad is None,
        "entries": verifier.size,
        "head": {"origin": head["origin"], "size": head["size"], "leaf_hash": head["last_leaf"].hex()},
        "first_bad": None if bad is None else {"seq": bad.seq, "reason": bad.reason},
    }
