"""`aaf policy`: the rules."""

from pathlib import Path
from typing import Annotated

import typer

from cli.client import client
from cli.output import Json, emit, fail, table
from firewall import policy

app = typer.Typer(no_args_is_help=True, help="The policy document and its revisions.")


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A policy document (YAML).")], json: Json = False) -> None:
    """Says what is wrong with a document, line by line; needs no running system."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file} cannot be read: {error}")
    try:
        compiled = policy.compile_policy(policy.load(text), policy.modules())
    except policy.BadPolicy as error:
        if json:
            emit({"valid": False, "problems": [{"line": p.line, "path": p.path, "message": p.message} for p in error.problems]})
        else:
            for problem in error.problems:
                print(f"{file}:{problem.line}: {problem.path + ': ' if problem.path else ''}{problem.message}")
        raise typer.Exit(1) from None
    emit({"valid": True, "revision": compiled.revision}) if json else print(f"{file}: good, {compiled.revision}")


@app.command("list")
def list_(json: Json = False) -> None:
    """Lists the revisions, newest first."""
    found = client().every("/v1/policies")
    emit(found) if json else table(
        ("revision", "active", "author", "created"), [(p["revision"], p["active"], p["author"], p["created_at"]) for p in found]
    )
