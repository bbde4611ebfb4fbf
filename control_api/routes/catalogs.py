"""Catalogs: those that ship and those that users add; and which action a request would be by them."""

import asyncio
import base64
import binascii
from dataclasses import replace
from datetime import UTC

import orjson

from control_api import cursor, reading
from control_api.asked import action_of
from control_api.faults import Busy, Conflict, Invalid, NotFound
from control_api.models import (
    ActionClassified,
    AskedRequest,
    CardShown,
    CatalogAdded,
    CatalogDetail,
    Catalogs,
    CatalogShown,
    Done,
    NewCatalog,
    Page,
)
from control_api.route import Answer, Call
from firewall.audit.events import catalog_added, catalog_removed
from firewall.card import card
from firewall.catalog_head import Head, head_of, shipped, shipped_text
from firewall.catalogs import ALL_FACTS_BYTES, COUNT_LIMIT, AddCatalog, RemoveCatalog
from firewall.dialects import reserved, shipped_services
from firewall.ids import CatalogId
from firewall.ports import Item, Lost
from firewall.reads import CatalogRecord

CLASSIFY = "classify"
"""Stands in the place of a service in a path."""
BODY_BYTES = 24 << 20
"""A document of 16 MiB, and what its quotes and line ends cost in JSON."""
REQUEST_BYTES = 8 << 20


async def listed(call: Call) -> Answer:
    query: Page = call.query
    rows = [_shown(row) for row in await call.context.reads.catalogs(before=None, limit=COUNT_LIMIT)]
    rows += [_of_head(head, None) for head in (await asyncio.to_thread(shipped)).values()]
    page, next_cursor = _page(rows, query)
    return Answer(content=Catalogs(data=page, next_cursor=next_cursor))


async def show(call: Call) -> Answer:
    service = call.request.match_info["service"]
    row = await call.context.reads.catalog(service)
    if row is not None:
        facts = row.facts
    elif service in shipped_services():
        facts = shipped_text(service)
    else:
        raise NotFound("no such catalog")
    head = await asyncio.to_thread(head_of, facts)
    shown = _of_head(head, row)
    return Answer(content=CatalogDetail(**shown.model_dump(), notes=list(head.notes), facts=facts))


async def add(call: Call) -> Answer:
    given: NewCatalog = call.body
    if given.service in reserved() | {CLASSIFY}:
        raise _invalid("service", f"{given.service} is what a protocol or a route is called: name the service")
    if call.context.reading.locked():
        raise Busy("another document is being read")
    asked = reading.Asked(
        service=given.service,
        document=given.document,
        hosts=tuple(given.hosts or ()),
        source=given.source or "a document",
        date=f"{call.context.now().astimezone(UTC):%Y-%m-%d}",
    )
    async with call.context.reading:
        try:
            facts = await reading.read(asked)
        except reading.Refused as error:
            problems = [{"path": where, "message": why} for where, why in error.problems]
            raise Invalid(f"document: {str(error)[:2000]}", errors=problems) from None
    head = await asyncio.to_thread(head_of, facts)
    change = AddCatalog(
        catalog_id=CatalogId(call.context.new_id("cat")),
        service=head.service,
        revision=head.revision,
        facts=facts,
        hosts=head.hosts,
        operations=head.operations,
        by=call.caller.name,
        count_limit=COUNT_LIMIT,
        bytes_limit=ALL_FACTS_BYTES,
    )
    entry = catalog_added(head.service, head.revision, hosts=head.hosts, operations=head.operations, by=call.caller.name)
    outcome = await call.context.ledger.append(Item(drafts=(entry,), change=change))
    same = isinstance(outcome, Lost) and outcome.code == "same"
    if isinstance(outcome, Lost) and not same:
        raise Conflict(
            f"there may be {COUNT_LIMIT} catalogs at a time"
            if outcome.code == "too-many"
            else f"the facts of all catalogs may have {ALL_FACTS_BYTES} bytes"
        )
    shown = _of_head(head, await call.context.reads.catalog(head.service))
    return Answer(content=CatalogAdded(**shown.model_dump(), notes=list(head.notes)), status=200 if same else 201)


async def remove(call: Call) -> Answer:
    service = call.request.match_info["service"]
    row = await call.context.reads.catalog(service)
    if row is None:
        raise NotFound("it came with the product, and stays" if service in shipped_services() else "no such catalog")
    change = RemoveCatalog(service=row.service, revision=row.revision, by=call.caller.name)
    entry = catalog_removed(row.service, row.revision, by=call.caller.name)
    if isinstance(await call.context.ledger.append(Item(drafts=(entry,), change=change)), Lost):
        raise Conflict("another catalog has taken its place meanwhile")
    return Answer(content=Done(id=service))


async def classified(call: Call) -> Answer:
    given: AskedRequest = call.body
    headers = [
        (name, value) for name, values in given.headers.items() for value in ([values] if isinstance(values, str) else values)
    ]
    body = _body(given)
    is_json = given.body is not None and not isinstance(given.body, str)
    if is_json and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    action, request = action_of(
        method=given.method,
        url=given.url,
        headers=headers,
        body=body,
        inspect_bytes=call.context.settings.body_inspect_bytes,
        known=await call.context.known(),
    )
    shown = {name: value for name, value in action.public().items() if name in ActionClassified.model_fields}
    words = card(replace(action, agent="The agent"), request)
    return Answer(
        content=ActionClassified(
            **shown,
            methods=[action.method, *action.overrides],
            details=dict(action.details),
            card=CardShown.model_validate(words.public()),
        )
    )


def _body(given: AskedRequest) -> bytes | None:
    if given.body_base64 is not None:
        try:
            return base64.b64decode(given.body_base64, validate=True)
        except binascii.Error:
            raise _invalid("body_base64", "not base64") from None
    if given.body is None or isinstance(given.body, str):
        return None if given.body is None else given.body.encode()
    return orjson.dumps(given.body)


def _page(rows: list[CatalogShown], query: Page) -> tuple[list[CatalogShown], str | None]:
    """Users' catalogs stand before those that ship; a place in the list is told by both."""
    start = cursor.position(query.cursor) or 0
    page = rows[start : start + query.limit]
    return page, cursor.encode(str(start + query.limit)) if len(rows) > start + query.limit else None


def _shown(row: CatalogRecord) -> CatalogShown:
    return _of_head(head_of(row.facts), row)


def _of_head(head: Head, row: CatalogRecord | None) -> CatalogShown:
    return CatalogShown(
        service=head.service,
        revision=head.revision if row is None else row.revision,
        title=head.title,
        source=head.source,
        date=head.date,
        licence=head.licence,
        operations=head.operations if row is None else row.operations,
        hosts=list(head.hosts if row is None else row.hosts),
        shipped=row is None,
        added_by=None if row is None else row.added_by,
        added_at=None if row is None else row.added_at,
    )


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"body: /{field}: {message}", errors=[{"path": f"/{field}", "message": message}])
