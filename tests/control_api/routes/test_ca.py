"""The CA's certificate, for anyone."""

from typing import Any

import pytest

pytestmark = pytest.mark.asyncio


async def test_until_a_gateway_made_it_there_is_none_and_then_anyone_gets_it(api: Any) -> None:
    assert (await api.call("GET", "/v1/ca.pem", who="nobody")).status == 503
    pem = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
    await api.sql("select aaf.create_ca($1, $2)", pem, b"sealed")
    reply = await api.call("GET", "/v1/ca.pem", who="nobody")
    assert (reply.status, reply.body.decode()) == (200, pem)
    assert reply.headers["Content-Type"] == "application/x-pem-file"
