"""`aaf catalog`: what vendors call their operations, and which action a request would be."""

import base64
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import client
from cli.fetch import document
from cli.output import Json, emit, facts, fail, table

READING_SECONDS = 90
"""A large document takes the control API a while."""

app = typer.Typer(no_args_is_help=True, help="Catalogs: what services call their operations.")
Service = Annotated[str, typer.Argument(metavar="SERVICE")]


@app.command("list")
def list_(json: Json = False) -> None:
    """Lists catalogs: users' own, then those that ship."""
    found = client().every("/v1/catalogs")
    emit(found) if json else table(
        ("service", "operations", "source", "date", "licence", "added by"),
        [(c["service"], c["operations"], c["source"], c["date"], c["licence"], c["added_by"] or "shipped") for c in found],
    )


@app.command()
def show(
    service: Service,
    text: Annotated[bool, typer.Option("--facts", help="Print the facts themselves.")] = False,
    json: Json = False,
) -> None:
    """Shows what a catalog is, and its facts if asked."""
    found = client().get(f"/v1/catalogs/{service}")
    if json:
        emit(found)
    elif text:
        print(found["facts"], end="")
    else:
        facts({name: value for name, value in found.items() if name != "facts"})


@app.command()
def add(
    place: Annotated[str, typer.Argument(metavar="DOCUMENT", help="File or https URL: OpenAPI 3, Swagger 2, or facts.")],
    service: Annotated[str, typer.Option(help="What its actions are called by: SERVICE:operation.")],
    host: Annotated[list[str] | None, typer.Option(help="A host glob in place of the document's; may be repeated.")] = None,
    json: Json = False,
) -> None:
    """Adds a catalog from a description of an API, or replaces the one of that service; every gateway has it within a second."""
    text, source = document(place)
    body = {"service": service, "document": text, "source": source} | ({"hosts": host} if host else {})
    made = client().post("/v1/catalogs", body, seconds=READING_SECONDS)
    emit(made) if json else facts(made)


@app.command()
def remove(service: Service, json: Json = False) -> None:
    """Removes a user's catalog."""
    client().delete(f"/v1/catalogs/{service}")
    shown = {"service": service, "removed": True}
    emit(shown) if json else facts(shown)


@app.command("test")
def classify(
    method: Annotated[str, typer.Argument(metavar="METHOD")],
    url: Annotated[str, typer.Argument(metavar="URL")],
    header: Annotated[list[str] | None, typer.Option(help="'Name: value'; may be repeated.")] = None,
    body: Annotated[Path | None, typer.Option(help="A file with the request's body.")] = None,
    json: Json = False,
) -> None:
    """Says which action such a request would be; nothing is sent or recorded."""
    asked: dict[str, Any] = {"method": method, "url": url, "headers": _headers(header or [])}
    if body is not None:
        try:
            asked["body_base64"] = base64.b64encode(body.read_bytes()).decode()
        except OSError as error:
            fail(f"{body} cannot be read: {error.strerror}")
    found = client().post("/v1/catalogs/classify", asked)
    if json:
        emit({name: value for name, value in found.items() if name != "card"})
        return
    card = found["card"]
    print(card["title"])
    facts({field["name"]: field["value"] for field in card["fields"]} | {"Catalog": found["catalog"] or "none"})


def _headers(given: list[str]) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for line in given:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            fail(f"--header {line!r}: write 'Name: value'", 2)
        headers.setdefault(name.strip(), []).append(value.strip())
    return headers
