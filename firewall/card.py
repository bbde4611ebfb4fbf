"""The approval card: what an approver reads of an action, everywhere (API, command line, web page).

    github:issues/create on octo/hello
    build-bot wants to create an issue on octo/hello at api.github.com.
    Kind write · Risk medium · owner octo · repo hello · …
    { "title": "It does not start" }

Pure: Action (and its Request, while there is one) → Card. Whatever came from the agent is masked where it is secret, made visible
where it would hide (`firewall.visible`), and bounded.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from firewall.action import Action, Kind, Source
from firewall.classify.review import SHIPPED
from firewall.excerpt import Excerpt, excerpt_of
from firewall.phrase import phrase, title
from firewall.redact import laid_out, masked, masked_path, masked_query
from firewall.request import Request
from firewall.visible import visible

FIELDS: Final = 60
NAME: Final = 60
VALUE: Final = 300
PARAMS: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """`title`: one line. `sentence`: who wants to do what, where. `fields`: in the order in which they should be read. `body`: an
    excerpt, in lines, or empty; `body_note`: what and how much the body is."""

    title: str
    sentence: str
    fields: tuple[Field, ...]
    body: str
    body_note: str

    def public(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "sentence": self.sentence,
            "fields": [{"name": each.name, "value": each.value} for each in self.fields],
            "body": self.body,
            "body_note": self.body_note,
        }


def card(action: Action, request: Request | None = None, params: Mapping[str, Any] | None = None) -> Card:
    """`request`: with the body that was read, if any. `params`: of an action that came by API."""
    body = Excerpt() if request is None else excerpt_of(request)
    if params:
        text = laid_out(orjson.dumps(masked(dict(params))).decode(), PARAMS)
        body = Excerpt(text=visible(text, PARAMS, lines=True), note="parameters")
    return Card(
        title=title(name=action.name, resource=action.resource, host=action.host, path=masked_path(action.path)),
        sentence=f"{visible(action.agent, NAME)} wants to {doing(action)}{_where(action)}.",
        fields=tuple(_fields(action, body.note))[:FIELDS],
        body=body.text,
        body_note=body.note,
    )


def doing(action: Action) -> str:
    """`create an issue on octo/hello`."""
    return phrase(
        service=action.service,
        operation=action.operation,
        kind=action.kind,
        resource=action.resource,
        method=action.method,
        path=masked_path(action.path),
        source=action.source,
    )


def _where(action: Action) -> str:
    if not action.host:
        return ""
    plain = action.service == "http" or (action.kind is Kind.UNKNOWN and action.source is Source.PROXY)
    return f" {'to' if plain else 'at'} {visible(action.host, 253)}"


def _fields(action: Action, body_note: str) -> Iterator[Field]:
    reason = SHIPPED.reason(action.name, action.risk)
    yield _field("Action", action.name)
    yield _field("Kind", _KINDS[action.kind])
    yield _field("Risk", action.risk if reason is None else f"{action.risk}: {reason}")
    for name, value in action.resource.items():
        # A push tells of each ref what becomes of it.
        if name != "refs" or not all(ref in action.details for ref in value.split(",")):
            yield _field(name, value)
    for name, value in action.details.items():
        if action.resource.get(name) == value:
            continue
        yield _field(name, value)
    for destination in action.destinations:
        yield _field("Lets the provider contact", destination)
    if action.source is Source.PROXY:
        port = "" if action.port == {"http": 80, "https": 443}.get(action.scheme) else f":{action.port}"
        host = f"[{action.host}]" if ":" in action.host else action.host
        yield _field("Request", f"{action.method} {action.scheme}://{host}{port}{masked_path(action.path)}")
    for piece in masked_query(action.query).split("&") if action.query else ():
        yield _field("Query", piece)
    if action.overrides:
        yield _field("May be taken for", ", ".join(action.overrides))
    if action.iam_action:
        yield _field("IAM action", action.iam_action)
    for finding in action.findings:
        yield _field("Found in it", " ".join(str(value) for value in finding.values()))
    if body_note:
        yield Field(name="Body", value=body_note)
    if action.opaque:
        yield _field("Not read", "what is inside the connection")


_KINDS: Final = {
    Kind.READ: "read",
    Kind.WRITE: "write",
    Kind.EXECUTE: "execute: runs something",
    Kind.DELETE: "delete",
    Kind.UNKNOWN: "unknown: what it does could not be told",
}


def _field(name: str, value: str) -> Field:
    return Field(name=visible(name, NAME), value=visible(value, VALUE))
