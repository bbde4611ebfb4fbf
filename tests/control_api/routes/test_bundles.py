"""The bundle as OPA pulls it."""

import asyncio
import io
import tarfile
from typing import Any

import pytest

from control_api.routes.bundles import MEDIA_TYPE, wait_seconds
from firewall import policy
from firewall.audit.events import policy_activated
from firewall.ports import ActivatePolicy, Item, Lost

PATH = "/v1/bundles/firewall.tar.gz"


@pytest.mark.asyncio
async def test_the_bundle_names_the_active_revision(api: Any) -> None:
    reply = await api.call("GET", PATH, who="bundle")
    revision = await api.context.reads.active_revision()
    assert (reply.status, reply.headers["Content-Type"], reply.headers["ETag"]) == (200, MEDIA_TYPE, f'"{revision}"')
    with tarfile.open(fileobj=io.BytesIO(reply.body)) as bundle:
        names = {name.lstrip("/") for name in bundle.getnames()}
    assert ".manifest" in names
    assert any(name.endswith(".rego") for name in names)
    assert not any(name.endswith("_test.rego") for name in names)


@pytest.mark.asyncio
async def test_who_has_the_revision_gets_304(api: Any) -> None:
    etag = (await api.call("GET", PATH, who="bundle")).headers["ETag"]
    reply = await api.call("GET", PATH, who="bundle", headers={"If-None-Match": etag})
    assert (reply.status, reply.body, reply.headers["ETag"]) == (304, b"", etag)


@pytest.mark.asyncio
async def test_a_long_poll_ends_when_another_revision_becomes_active(api: Any) -> None:
    etag = (await api.call("GET", PATH, who="bundle")).headers["ETag"]
    headers = {"If-None-Match": etag, "Prefer": "modes=snapshot,delta;wait=60"}
    polling = asyncio.create_task(api.call("GET", PATH, who="bundle", headers=headers))
    await asyncio.sleep(0)
    revision = await activate(api, "version: 1\ndefault: allow\n")
    reply = await asyncio.wait_for(polling, 20)
    assert (reply.status, reply.headers["ETag"]) == (200, f'"{revision}"')


@pytest.mark.asyncio
async def test_a_long_poll_ends_when_its_time_is_over(api: Any) -> None:
    etag = (await api.call("GET", PATH, who="bundle")).headers["ETag"]
    reply = await api.call("GET", PATH, who="bundle", headers={"If-None-Match": etag, "Prefer": "wait=1"})
    assert reply.status == 304


@pytest.mark.asyncio
async def test_a_revision_that_other_rego_made_is_not_served(api: Any) -> None:
    columns = "(revision, document, data, author)"
    await api.sql(f"insert into aaf.policies {columns} values ('sha256:other', 'version: 1', '{{}}', 'x')")
    await api.sql("update aaf.active_policy set revision = 'sha256:other'")
    reply = await api.call("GET", PATH, who="bundle")
    assert (reply.status, reply.body["type"]) == (503, "urn:aaf:problem:unavailable")


@pytest.mark.asyncio
async def test_the_real_opa_takes_up_a_new_revision(governed: Any, wait_until: Any) -> None:
    assert (await governed.submit("erase")).body["decision"] == "deny"
    revision = await activate(governed, "version: 1\nrules: [{id: all, effect: allow, reason: Everything}]\n")

    async def decided_by_it() -> bool:
        return bool((await governed.submit("erase")).body.get("revision") == revision)

    await wait_until(decided_by_it)
    assert (await governed.submit("erase")).body["decision"] == "allow"


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("modes=snapshot,delta;wait=30", 30),
        ("wait=5", 5),
        ("modes=snapshot,delta", 0),
        ("wait=x", 0),
        ("wait=999999", 300),
        ("", 0),
    ],
)
def test_the_prefer_header_says_how_long_to_wait(prefer: str, seconds: int) -> None:
    assert wait_seconds(prefer) == seconds


async def activate(api: Any, document: str) -> str:
    compiled = policy.compile_policy(policy.load(document), api.context.modules)
    change = ActivatePolicy(revision=compiled.revision, document=document, data=compiled.data, author="test")
    outcome = await api.context.ledger.append(Item(drafts=(policy_activated(compiled.revision, "test"),), change=change))
    assert not isinstance(outcome, Lost)
    return compiled.revision
