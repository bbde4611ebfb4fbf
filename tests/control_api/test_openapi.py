"""The description is the table: complete, valid, and nothing in it makes the server fail."""

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.config import SchemathesisConfig

from control_api.openapi import document
from control_api.routes import ROUTES


def test_every_route_is_described_with_its_roles_and_models() -> None:
    described = document(ROUTES)
    assert described["openapi"] == "3.1.0"
    for route in ROUTES:
        operation = described["paths"][route.path][route.method.lower()]
        assert operation["x-roles"] == sorted(route.roles)
        assert ("requestBody" in operation) == (route.body is not None)
        assert str(route.status) in operation["responses"]
    assert sum(len(methods) for methods in described["paths"].values()) == len(ROUTES)


def test_every_reference_leads_somewhere_and_operations_have_names_of_their_own() -> None:
    described = document(ROUTES)
    schemas = described["components"]["schemas"]

    def references(value: Any) -> Any:
        if isinstance(value, dict):
            for name, each in value.items():
                if name == "$ref":
                    yield each
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    assert {each.rsplit("/", 1)[1] for each in references(described)} <= set(schemas)
    names = [operation["operationId"] for methods in described["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


@pytest.mark.asyncio
async def test_no_generated_request_makes_the_server_fail(governed: Any) -> None:
    """Schemathesis makes requests from the description; a 5xx is a defect, unless it says that something is not available."""
    schema = schemathesis.openapi.from_dict((await governed.call("GET", "/openapi.json")).body, config=SchemathesisConfig())
    failures: list[str] = []
    quick = settings(
        max_examples=12,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )

    def run() -> None:
        for result in schema.get_all_operations():
            operation = result.ok()  # type: ignore[union-attr]
            if operation.path == "/v1/events":
                continue  # it does not end
            keys = governed.keys["agent" if operation.path.startswith("/v1/actions") else "admin"]

            @quick
            @given(case=operation.as_strategy())
            def try_it(case: Any) -> None:
                response = case.call(base_url=governed.url, headers=keys, timeout=30)  # noqa: B023 (called in this turn of the loop)
                if response.status_code >= 500 and response.status_code != 503:
                    failures.append(f"{case.method} {case.formatted_path}: {response.status_code} {response.text[:200]}")

            try_it()

    await asyncio.to_thread(run)
    assert failures == []
