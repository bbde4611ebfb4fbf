"""`aaf actions`: what agents did, or tried to."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from cli.client import client
from cli.output import Json, Limit, emit, facts, say
from cli.reading import action_lines

app = typer.Typer(no_args_is_help=True, help="What agents did, or tried to.")


class Effect(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    PENDING = "pending"
    ERROR = "error"


@app.command("list")
def list_(
    agent: Annotated[str | None, typer.Option(help="Of this agent alone.")] = None,
    effect: Annotated[Effect | None, typer.Option(help="With this outcome alone.")] = None,
    host: Annotated[str | None, typer.Option(help="To this host alone.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Lists actions, newest first."""
    found = client().every("/v1/actions", limit=limit, agent=agent, effect=effect, host=host)
    emit(found) if json else say(action_lines(found, datetime.now().astimezone()))


@app.command()
def show(action_id: Annotated[str, typer.Argument(metavar="ID")], json: Json = False) -> None:
    """Shows one action."""
    found = client().get(f"/v1/actions/{action_id}")
    emit(found) if json else facts(found)
