"""OpenAPI 3.1, generated from the route table and the pydantic models: nothing of it is written by hand."""

import importlib.metadata
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from control_api.callers import Role
from control_api.models import Problem
from control_api.models.catalogs import SERVICE
from control_api.route import Route

REF = "#/components/schemas/{model}"
PREFIXES = {"actions": "act", "agents": "agt", "approvals": "apr", "keys": "key", "tokens": "tok"}
PATTERNS = {"service": SERVICE}
SECURITY = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or an agent's token; the bundle route takes the bundle token.",
    },
    "agentId": {"type": "apiKey", "in": "header", "name": "X-Agent-Id", "description": "The agent's name or identifier."},
    "agentKey": {"type": "apiKey", "in": "header", "name": "X-Agent-Key", "description": "The agent's token."},
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    bodies = {model for route in routes for model in (route.body,) if model is not None}
    answers = {model for route in routes for model in (route.answer,) if model is not None} | {Problem}
    wanted: list[tuple[type[BaseModel], Any]] = [(model, "validation") for model in sorted(bodies, key=_name)]
    wanted += [(model, "serialization") for model in sorted(answers, key=_name)]
    _, schemas = models_json_schema(wanted, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Agent Action Firewall: control API",
            "version": importlib.metadata.version("agent-action-firewall"),
            "description": "Every error is an RFC 9457 problem document. Lists are newest first.",
        },
        "paths": paths,
        "components": {"schemas": schemas["$defs"], "securitySchemes": SECURITY},
    }


def _operation(route: Route) -> dict[str, Any]:
    roles = sorted(role.value for role in route.roles)
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [_tag(route)],
        "responses": {str(route.status): _answer(route), "default": _problem()},
        "x-roles": roles,
        "description": "No key." if Role.NOBODY in route.roles else f"Roles: {', '.join(roles)}.",
        "security": _security(route),
    }
    parameters = _path_parameters(route) + _query_parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"content": {"application/json": {"schema": _ref(route.body)}}}
    return operation


def _security(route: Route) -> list[dict[str, list[str]]]:
    if Role.NOBODY in route.roles:
        return [{}]
    schemes: list[dict[str, list[str]]] = [{"key": []}]
    if Role.AGENT in route.roles:
        schemes.append({"agentId": [], "agentKey": []})
    return schemes


def _answer(route: Route) -> dict[str, Any]:
    schema: dict[str, Any] = {} if route.answer is None else {"schema": _ref(route.answer)}
    return {"description": route.summary, "content": {route.media.split(";")[0]: schema}}


def _problem() -> dict[str, Any]:
    return {"description": "A problem (RFC 9457)", "content": {"application/problem+json": {"schema": _ref(Problem)}}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    parts = route.path.split("/")
    found = []
    for before, part in pairwise(parts):
        if part.startswith("{"):
            name = part.strip("{}")
            pattern = PATTERNS.get(name) or f"^{PREFIXES[before]}_[0-9a-f]{{32}}$"
            schema = {"type": "string", "pattern": pattern}
            found.append({"name": name, "in": "path", "required": True, "schema": schema})
    return found


def _query_parameters(route: Route) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template=REF)
    definitions = schema.get("$defs", {})
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _inline(each, definitions)}
        for name, each in schema["properties"].items()
    ]


def _inline(schema: Any, definitions: dict[str, Any]) -> Any:
    """A query parameter is text, so `null` is not among what it can be, and no reference is needed."""
    if isinstance(schema, list):
        return [_inline(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    inlined = {name: _inline(each, definitions) for name, each in schema.items() if not (name == "default" and each is None)}
    if "anyOf" in inlined:
        choices = [each for each in inlined.pop("anyOf") if each != {"type": "null"}]
        return {**inlined, **choices[0]} if len(choices) == 1 else {**inlined, "anyOf": choices}
    return inlined


def _operation_id(route: Route) -> str:
    words = re.findall(r"[A-Za-z0-9_]+", route.path.removeprefix("/v1"))
    return "_".join([route.method.lower(), *words])


def _tag(route: Route) -> str:
    return route.path.removeprefix("/v1").split("/")[1].removesuffix(".json").removesuffix(".pem")


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REF.format(model=model.__name__)}


def _name(model: type[BaseModel]) -> str:
    return model.__name__
