"""`aaf key`: what people and their tools open the control API with."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.client import client
from cli.output import Json, emit, facts, table

app = typer.Typer(no_args_is_help=True, help="Keys of people for the control API.")


class Role(StrEnum):
    ADMIN = "admin"
    APPROVER = "approver"
    AUDITOR = "auditor"
    VIEWER = "viewer"


@app.command()
def create(
    role: Annotated[Role, typer.Option(help="What the key may do.")],
    name: Annotated[str, typer.Option(help="The person it is for; the name stands in the audit log.")],
    json: Json = False,
) -> None:
    """Creates a key and shows it, once."""
    made = client().post("/v1/keys", {"role": role.value, "name": name})
    shown = {field: made[field] for field in ("id", "role", "name", "key")}
    emit(shown) if json else facts(shown)


@app.command("list")
def list_(json: Json = False) -> None:
    """Lists all keys, never what they are."""
    keys = client().every("/v1/keys")
    if json:
        emit(keys)
    else:
        rows = [(k["id"], k["role"], k["name"], k["created_at"], k["revoked_at"]) for k in keys]
        table(("id", "role", "name", "created", "revoked"), rows)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Ends a key, now."""
    client().delete(f"/v1/keys/{key_id}")
    shown = {"id": key_id, "revoked": True}
    emit(shown) if json else facts(shown)
