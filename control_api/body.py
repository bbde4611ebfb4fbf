"""Reading a request's JSON: bounded in size, time and depth, before any of it is believed."""

import asyncio
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from control_api.faults import BadBody, Invalid, TooLarge, TooSlow, WrongMediaType

BODY_BYTES = 1 << 20
BODY_SECONDS = 30.0
DEPTH = 32
TOLD = 3
"""How many of the things that are wrong are named in the detail; `errors` lists all."""


async def read[M: BaseModel](request: web.Request, model: type[M], limit: int = BODY_BYTES) -> M:
    """The body as `model`. No body at all reads as `{}`, whatever type a client gives to nothing. `limit`: bytes."""
    raw = await _raw(request, limit)
    if not raw:
        return parse(model, {})
    if request.content_type != "application/json":
        raise WrongMediaType(f"send the body as application/json, not {request.content_type}")
    if request.charset not in {None, "utf-8"}:
        raise WrongMediaType("JSON is UTF-8")
    return parse(model, decode(raw))


def decode(raw: bytes) -> Any:
    """JSON that is not nested deeper than `DEPTH` and holds no NUL, which no part of this system may store."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "recursion" in str(error):
            raise BadBody(f"the JSON is nested deeper than {DEPTH}") from None
        raise BadBody(f"not JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    level = [value]
    for _ in range(DEPTH + 1):
        if not level:
            return value
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, str):
                refuse_nul(item)
            elif isinstance(item, dict):
                for key in item:
                    refuse_nul(key)
                deeper.extend(item.values())
            elif isinstance(item, list):
                deeper.extend(item)
        level = deeper
    if level:
        raise BadBody(f"the JSON is nested deeper than {DEPTH}")
    return value


def parse[M: BaseModel](model: type[M], value: Any, where: str = "body") -> M:
    """A body has JSON's own types, so `"60"` and `true` are no numbers there; in a query everything is text."""
    try:
        return model.model_validate(value, strict=where == "body")
    except ValidationError as error:
        problems = [
            {"path": "/" + "/".join(str(part) for part in each["loc"]), "message": each["msg"].removeprefix("Value error, ")}
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        told = "; ".join(f"{each['path']}: {each['message']}" for each in problems[:TOLD])
        raise Invalid(f"{where}: {told}{'; …' if problems[TOLD:] else ''}", errors=problems) from None


def refuse_nul(text: str) -> None:
    if "\x00" in text:
        raise BadBody("text may not hold a NUL character")


async def _raw(request: web.Request, limit: int) -> bytes:
    if request.content_length is not None and request.content_length > limit:
        raise TooLarge(f"a body may have {limit} bytes")
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while chunk := await request.content.readany():
                raw += chunk
                if len(raw) > limit:
                    raise TooLarge(f"a body may have {limit} bytes")
            return bytes(raw)
    except TimeoutError:
        raise TooSlow(f"a body must arrive within {BODY_SECONDS:.0f} seconds") from None
