"""The API's description: OpenAPI 3.1 from the route table and the models, and a page rendered from that."""

import orjson

from control_api.openapi import document
from control_api.page import render
from control_api.route import Answer, Call


async def openapi(_call: Call) -> Answer:
    return Answer(content=orjson.dumps(_document(), option=orjson.OPT_INDENT_2))


async def page(_call: Call) -> Answer:
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return Answer(content=render(_document()).encode(), headers={"Content-Security-Policy": policy})


def _document() -> dict[str, object]:
    from control_api.routes import ROUTES  # the table names these handlers, and these handlers describe the table

    return document(ROUTES)
