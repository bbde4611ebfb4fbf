"""The description, as a file and as a page."""

from typing import Any

import pytest


@pytest.mark.asyncio
async def test_the_document_is_served_to_anyone(api: Any) -> None:
    assert (await api.call("GET", "/openapi.json", who="nobody")).body["info"]["title"]


@pytest.mark.asyncio
async def test_the_page_is_served_to_anyone_as_html(api: Any) -> None:
    reply = await api.call("GET", "/docs", who="nobody")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
