"""`aaf approvals`: what waits for a person, and that person's decision."""

from datetime import datetime
from typing import Annotated, Any

import typer

from cli.client import client
from cli.output import Json, Limit, emit, say
from cli.reading import approval_line, approval_page
from firewall.approval import State

app = typer.Typer(no_args_is_help=True, help="Requests that wait for a person's decision.")
REMEMBERED = 10_000
"""Approvals of which `watch` knows what it said last."""


def _named(identifier: str) -> str:
    """A pasted line finds the identifier of what waits; where nothing does, it is empty."""
    if not identifier:
        raise typer.BadParameter("nothing waits for a decision, or no identifier was given")
    return identifier


Id = Annotated[str, typer.Argument(metavar="ID", callback=_named)]


@app.command("list")
def list_(
    status: Annotated[State | None, typer.Option(help="In this state alone.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Lists approvals, newest first."""
    found = client().every("/v1/approvals", limit=limit, status=status)
    emit(found) if json else say(approval_line(each, _now()) for each in found)


@app.command()
def show(approval_id: Id, json: Json = False) -> None:
    """Shows what is asked for, as the approver reads it."""
    found = client().get(f"/v1/approvals/{approval_id}")
    emit(found) if json else say(approval_page(found, _now()))


@app.command()
def approve(
    approval_id: Id, comment: Annotated[str, typer.Option(help="Why; kept beside the audit log.")] = "", json: Json = False
) -> None:
    """Lets the request pass, once, exactly as it was shown."""
    _decided(client().post(f"/v1/approvals/{approval_id}/approve", {"comment": comment}), json)


@app.command()
def deny(approval_id: Id, reason: Annotated[str, typer.Option(help="Why; the agent reads it.")] = "", json: Json = False) -> None:
    """Refuses the request."""
    _decided(client().post(f"/v1/approvals/{approval_id}/deny", {"reason": reason}), json)


@app.command()
def watch(json: Json = False) -> None:
    """Shows what waits, then follows approvals as they are asked for and decided; Ctrl-C ends."""
    api = client()
    told: dict[str, str] = {}
    for event, data in api.events("/v1/events"):
        if event == "open":
            for waiting in reversed(api.every("/v1/approvals", status="pending")):
                emit(_as_event(waiting)) if json else _tell(waiting, told)
        elif event == "approval":
            emit(data) if json else _tell(api.get(f"/v1/approvals/{data['approval']}"), told)


def _tell(approval: Any, told: dict[str, str]) -> None:
    """One line for each state that an approval comes to. `told`: which it was in when it was last spoken of."""
    if told.get(approval["id"]) != approval["status"]:
        say([approval_line(approval, _now())])
    told[approval["id"]] = approval["status"]
    if len(told) > REMEMBERED:
        del told[next(iter(told))]


def _now() -> datetime:
    return datetime.now().astimezone()


def _as_event(approval: Any) -> dict[str, Any]:
    """An approval that waits already, as the event that asked for it."""
    same = ("name", "kind", "risk", "method", "host", "rules", "revision")
    return {
        "event": "approval.requested",
        "time": approval["requested_at"],
        "approval": approval["id"],
        "action": approval["action_id"],
        "agent": approval["agent_id"],
        "agent_name": approval["agent"],
    } | {field: approval[field] for field in same}


def _decided(approval: Any, json: bool) -> None:
    emit(approval) if json else print(f"{approval['id']} {approval['status']}")
