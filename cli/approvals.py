"""`aaf approvals`: what waits for a person, and that person's decision."""

from typing import Annotated, Any

import typer

from cli.client import client
from cli.output import Json, Limit, emit, facts, table
from firewall.approval import State

app = typer.Typer(no_args_is_help=True, help="Requests that wait for a person's decision.")
Id = Annotated[str, typer.Argument(metavar="ID")]


@app.command("list")
def list_(
    status: Annotated[State | None, typer.Option(help="In this state alone.")] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Lists approvals, newest first."""
    found = client().every("/v1/approvals", limit=limit, status=status)
    emit(found) if json else table(
        ("id", "status", "agent", "action", "host", "risk", "asked"),
        [(a["id"], a["status"], a["agent"], a["name"], a["host"], a["risk"], a["requested_at"]) for a in found],
    )


@app.command()
def show(approval_id: Id, json: Json = False) -> None:
    """Shows what is asked for, as the approver reads it."""
    found = client().get(f"/v1/approvals/{approval_id}")
    emit(found) if json else facts(found)


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
    for event, data in api.events("/v1/events"):
        if event == "open":
            for waiting in reversed(api.every("/v1/approvals", status="pending")):
                _happened(_as_event(waiting), json)
        elif event == "approval":
            _happened(data, json)


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


def _happened(data: Any, json: bool) -> None:
    if json:
        emit(data)
    else:
        shown = ("time", "event", "approval", "agent_name", "name", "host")
        print(" ".join(str(data[field]) for field in shown if data.get(field)), flush=True)


def _decided(approval: Any, json: bool) -> None:
    emit(approval) if json else print(f"{approval['id']} {approval['status']}")
