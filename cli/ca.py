"""`aaf ca`: the certificate authority that agents must trust."""

import typer

from cli.client import client
from cli.output import Json, emit

app = typer.Typer(no_args_is_help=True, help="The interception CA.")


@app.callback()
def _group() -> None:
    """The interception CA."""


@app.command()
def show(json: Json = False) -> None:
    """Prints the CA's certificate (PEM)."""
    pem = client().text("/v1/ca.pem")
    emit({"pem": pem}) if json else print(pem, end="")
