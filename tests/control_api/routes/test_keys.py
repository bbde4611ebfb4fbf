"""API keys: a role and a person's name, shown once."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio


async def test_a_key_is_shown_once_and_carries_its_role(api: Any) -> None:
    created = await api.call("POST", "/v1/keys", {"role": "approver", "name": "Änne Müller"})
    assert created.status == 201
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", created.body["key"])
    listed = (await api.call("GET", "/v1/keys")).body
    assert listed["data"][0] == {
        **{name: created.body[name] for name in ("id", "role", "name", "expires_at")},
        "created_at": listed["data"][0]["created_at"],
        "revoked_at": None,
    }
    assert created.body["key"] not in str(listed)
    headers = {"Authorization": f"Bearer {created.body['key']}"}
    assert (await api.call("GET", "/v1/keys", who="", headers=headers)).status == 403


async def test_creating_and_revoking_stand_in_the_chain(api: Any) -> None:
    created = (await api.call("POST", "/v1/keys", {"role": "viewer", "name": "Vera"})).body
    await api.call("DELETE", f"/v1/keys/{created['id']}")
    (revoked,) = await api.entries("key.revoked")
    assert (revoked["key"], revoked["key_name"], revoked["by"]) == (created["id"], "Vera", "admin-person")


@pytest.mark.parametrize("expires_in", [0, -1, 1.5, "soon", 10**12])
async def test_an_expiry_must_be_a_number_of_seconds(api: Any, expires_in: Any) -> None:
    body = {"role": "viewer", "name": "Vera", "expires_in": expires_in}
    assert (await api.call("POST", "/v1/keys", body)).status == 422
