"""Revisions, schemas, and checking a document."""

from typing import Any

import pytest

from tests.control_api.harness import POLICY

pytestmark = pytest.mark.asyncio


async def test_the_document_of_the_start_is_the_active_revision(api: Any) -> None:
    listed = (await api.call("GET", "/v1/policies", who="viewer")).body
    (shown,) = listed["data"]
    assert (shown["active"], shown["document"]) == (True, POLICY)
    (entry,) = await api.entries("policy.activated")
    assert entry["revision"] == shown["revision"] == await api.context.reads.active_revision()


async def test_a_good_document_is_checked_and_named(api: Any) -> None:
    reply = (await api.call("POST", "/v1/policies/check", {"document": POLICY})).body
    assert reply == {"valid": True, "revision": await api.context.reads.active_revision(), "problems": []}


async def test_a_bad_document_is_a_list_of_problems_by_line(api: Any) -> None:
    document = "version: 1\nrules:\n  - id: a\n    effect: maybe\n    hots: [x]\n"
    reply = await api.call("POST", "/v1/policies/check", {"document": document})
    assert (reply.status, reply.body["valid"], reply.body["revision"]) == (200, False, None)
    assert {problem["line"] for problem in reply.body["problems"]} == {4, 5}


NONSENSE = ["", "[]", "\ud7ff", ": : :", "&a [*a]", "!!python/object:os.system x", "x: " + "[" * 5000]


@pytest.mark.parametrize("document", NONSENSE)
async def test_nonsense_is_a_problem_not_a_failure(api: Any, document: str) -> None:
    reply = await api.call("POST", "/v1/policies/check", {"document": document})
    assert (reply.status, reply.body["valid"]) == (200, False)


async def test_the_schemas_are_published(api: Any) -> None:
    for name in ("policy", "policy-input"):
        reply = await api.call("GET", f"/v1/schemas/{name}.json", who="viewer")
        assert reply.status == 200
        assert reply.body["$schema"].endswith("2020-12/schema")
