"""docs/openapi/<service>.json: each service's HTTP surface as an OpenAPI 3.1 document."""

import json
import re
from typing import Any

import msgspec
from fastapi.openapi.utils import get_openapi

from libs.common.http.routes import PUBLIC, Route
from tools.contracts.surfaces import Surface

Node = dict[str, Any]
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
ANY_BYTES: Node = {"application/octet-stream": {"schema": {}}}
REFUSED: Node = {
    "description": "Refused, in MLflow's form",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
}
PROBLEM: Node = {
    "description": "Refused, as problem details (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
PROBLEM_SCHEMA: Node = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "the word that MLflow's routes answer"},
    },
}
REFUSED_SCHEMA: Node = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
}


def documents(surfaces: list[Surface], version: str) -> dict[str, str]:
    """Path → text of each service's document."""
    return {
        f"docs/openapi/{surface.service}.json": json.dumps(
            _document(surface, version), indent=1, sort_keys=True
        )
        + "\n"
        for surface in surfaces
    }


def _document(surface: Surface, version: str) -> Node:
    bodies = [route.body for route in surface.routes if route.body is not None]
    schemas, components = msgspec.json.schema_components(
        bodies, ref_template="#/components/schemas/{name}"
    )
    of_body = dict(zip(map(id, bodies), schemas, strict=True))
    own = get_openapi(
        title=f"Maestro ML: {surface.service}",
        version=version,
        routes=[route for router in surface.routers for route in router.routes],
    )
    paths: Node = own.setdefault("paths", {})
    for operations in paths.values():
        for operation in operations.values():
            _refuse_with_problems(operation)
    for route in surface.routes:
        path = PARAMETER.sub(r"{\1}", route.paths[0])
        schema = of_body.get(id(route.body), {})
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schema, components)
    parts = own.setdefault("components", {})
    own_schemas = parts.get("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        own_schemas.pop(name, None)
    parts["schemas"] = {**own_schemas, **components, "Refused": REFUSED_SCHEMA}
    parts["schemas"]["Problem"] = PROBLEM_SCHEMA
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "login": {"type": "http", "scheme": "basic"},
    }
    return own


def _refuse_with_problems(operation: Node) -> None:
    """FastAPI tells of its own form of a refusal; ours are problem details, whatever the status."""
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = PROBLEM
    operation.setdefault("security", [{"token": []}, {"login": []}])


def _operation(route: Route, schema: Node, components: dict[str, Node]) -> Node:
    said = (route.handler.__doc__ or "").strip().split("\n")[0]
    node: Node = {
        "operationId": f"{route.name}_{route.method.lower()}",
        "summary": said or route.name.replace("_", " "),
        "x-permission": route.permission,
        "responses": {"200": {"description": "Done"}, "default": REFUSED},
        "security": [] if route.permission == PUBLIC else [{"token": []}, {"login": []}],
    }
    parameters = [_in_path(name) for name in PARAMETER.findall(route.paths[0])]
    if len(route.paths) > 1:
        node["x-also-at"] = list(route.paths[1:])
    if schema and route.method == "GET":
        parameters += _in_query(schema, components)
    elif schema:
        node["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    elif route.streams:
        node["requestBody"] = {"content": ANY_BYTES}
    if parameters:
        node["parameters"] = parameters
    return node


def _in_path(name: str) -> Node:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _in_query(schema: Node, components: dict[str, Node]) -> list[Node]:
    whole = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    needed = whole.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": kind}
        for name, kind in whole.get("properties", {}).items()
    ]
