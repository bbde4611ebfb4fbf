"""`aaf agent`: the identities that use the proxy."""

from typing import Annotated, Any

import typer

from cli.client import Client, client
from cli.output import Json, emit, facts, fail, table

app = typer.Typer(no_args_is_help=True, help="Agents: who may use the proxy.")
Name = Annotated[str, typer.Argument(help="The agent's name or id.")]


def find(api: Client, name: str) -> Any:
    found = [agent for agent in api.every("/v1/agents") if name in (agent["name"], agent["id"])]
    if not found:
        fail(f"no agent is called {name}")
    return found[0]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Letters, digits, dots, dashes.")],
    hold_seconds: Annotated[
        int | None, typer.Option(help="How long its connections are held, instead of AAF_HOLD_SECONDS.")
    ] = None,
    json: Json = False,
) -> None:
    """Creates an agent and shows its token, once."""
    made = client().post("/v1/agents", {"name": name} | ({} if hold_seconds is None else {"hold_seconds": hold_seconds}))
    shown = {field: made[field] for field in ("id", "name", "token", "proxy_url")}
    emit(shown) if json else facts(shown)


@app.command("list")
def list_(json: Json = False) -> None:
    """Lists all agents."""
    agents = client().every("/v1/agents")
    if json:
        emit(agents)
    else:
        rows = [(a["id"], a["name"], "enabled" if a["enabled"] else "disabled", a["created_at"]) for a in agents]
        table(("id", "name", "status", "created"), rows)


@app.command()
def rotate(name: Name, json: Json = False) -> None:
    """Gives the agent a new token, shown once, and ends every older one."""
    api = client()
    made = api.post(f"/v1/agents/{find(api, name)['id']}/rotate")
    emit(made) if json else facts(made)


@app.command()
def disable(name: Name, json: Json = False) -> None:
    """Ends the agent: its connections and held requests too, everywhere."""
    api = client()
    ended = api.post(f"/v1/agents/{find(api, name)['id']}/disable")
    emit(ended) if json else facts(ended)
