"""The `aaf` command: every command by name."""

from typing import Annotated

import asyncpg
import typer
import uvloop

from cli import actions, agents, approvals, audit, ca, catalog, configuration, keys, policy, running
from cli.doctor import doctor
from cli.output import Json, emit, fail, table
from cli.session import settings
from cli.up import CannotRun
from cli.up import up as run_system
from firewall.backends.logs import configure_logs
from firewall.backends.postgres.migrate import migrate as run_migrations

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Agent Action Firewall: every HTTP action of an agent allowed, denied or held for a person, and on the record.",
)
for name, group in (
    ("agent", agents.app),
    ("key", keys.app),
    ("approvals", approvals.app),
    ("actions", actions.app),
    ("policy", policy.app),
    ("catalog", catalog.app),
    ("audit", audit.app),
    ("ca", ca.app),
):
    app.add_typer(group, name=name)

app.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(running.run)
app.command("env")(running.env)
app.command("config")(configuration.config)
app.command("doctor")(doctor)

Lifeline = Annotated[int | None, typer.Option(hidden=True, help="A pipe that ends with the parent.")]
ReadyPipe = Annotated[int | None, typer.Option("--ready", hidden=True, help="A pipe to say on that it is ready.")]


@app.command()
def up(json: Json = False) -> None:
    """Runs the whole system on this machine until Ctrl-C."""
    configure_logs()
    try:
        raise typer.Exit(run_system(settings(), as_json=json))
    except CannotRun as error:
        fail(str(error))


@app.command()
def gateway(lifeline: Lifeline = None, ready: ReadyPipe = None) -> None:
    """Runs the proxy."""
    from gateway.main import main as run_gateway

    configure_logs()
    raise typer.Exit(run_gateway(settings(), lifeline=lifeline, ready=ready))


@app.command()
def api(lifeline: Lifeline = None, ready: ReadyPipe = None) -> None:
    """Runs the control API."""
    from control_api.main import main as run_api

    configure_logs()
    raise typer.Exit(run_api(settings(), lifeline=lifeline, ready=ready))


@app.command()
def worker(lifeline: Lifeline = None, ready: ReadyPipe = None) -> None:
    """Runs the background jobs."""
    from worker.main import main as run_worker

    configure_logs()
    raise typer.Exit(run_worker(settings(), lifeline=lifeline, ready=ready))


@app.command()
def migrate(json: Json = False) -> None:
    """Brings the database of DATABASE_ADMIN_URL up to date."""
    of = settings()
    if of.database_admin_url is None:
        fail("DATABASE_ADMIN_URL is not set", 2)
    role = password = None
    if of.database_url is not None:
        from urllib.parse import urlsplit

        parts = urlsplit(of.database_url.get_secret_value())
        role, password = parts.username, parts.password
    try:
        applied = uvloop.run(run_migrations(of.database_admin_url.get_secret_value(), app_role=role, app_password=password))
    except (asyncpg.PostgresError, OSError) as error:
        fail(f"the database was not migrated: {type(error).__name__}: {error}")
    emit({"applied": applied}) if json else table(("applied",), [(name,) for name in applied])


def main() -> None:
    app()


if __name__ == "__main__":
    main()
