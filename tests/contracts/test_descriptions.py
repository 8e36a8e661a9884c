"""The generated descriptions say what the services declare, and fit together."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi.routing import APIRoute

from libs.common.access.permissions import PERMISSIONS
from libs.common.bus.provision import wanted_topics
from libs.common.http.own import OPERATE
from libs.common.http.routes import PUBLIC
from services import all_services
from tools.contracts.generated import generated_files
from tools.contracts.landscape import Landscape, declared
from tools.contracts.surfaces import surfaces

ROOT = Path(__file__).parents[2]
# Whoever knows the address may ask these; /internal/token asks for a service's own secret.
PUBLIC_PATHS = {
    "/.well-known/jwks.json",
    "/internal/token",
    "/internal/sessions/of-link",
    "/internal/access",
    "/internal/revocations",
    "/version",
    "/api/3.0/mlflow/server-info",
    "/ajax-api/3.0/mlflow/server-info",
    # Asks for the capability that was given with the URL.
    "/api/2.0/mlflow-artifacts/mpu-part",
    # Asks for the code of an invitation, and for a password.
    "/api/maestro/v1/invitations/accept",
}


@pytest.fixture(scope="module")
def landscape() -> Landscape:
    """What the services of the topology declare."""
    return declared(all_services())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """asyncapi.yaml as it is checked in."""
    found: dict[str, Any] = msgspec.yaml.decode((ROOT / "asyncapi.yaml").read_bytes())
    return found


def references(node: object) -> Iterator[str]:
    """Every $ref below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from references(part)
    elif isinstance(node, list):
        for part in node:
            yield from references(part)


def resolve(document: dict[str, Any], reference: str) -> object:
    """What a local reference means; fails where it means nothing."""
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def own_routes() -> list[APIRoute]:
    """The operations of our own REST, of all services."""
    routers = [router for surface in surfaces(all_services()) for router in surface.routers]
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def asked_of(route: APIRoute) -> object:
    """What an operation declares that its caller must be allowed."""
    return (route.openapi_extra or {}).get("x-permission")


def test_the_declarations_fit_together(landscape: Landscape) -> None:
    """Each topic has the one producer its name says, and nobody reads what nobody publishes."""
    assert landscape.mistakes() == []


def test_generated_files_are_up_to_date(landscape: Landscape) -> None:
    """What is checked in is what would be generated now."""
    wanted = generated_files(ROOT, landscape)
    stale = [path for path, text in wanted.items() if (ROOT / path).read_text() != text]
    assert stale == []


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """asyncapi.yaml refers to nothing that it does not hold."""
    found = list(references(document))
    assert found
    for reference in found:
        assert resolve(document, reference) is not None


def test_channels_are_the_topics_that_are_made(document: dict[str, Any]) -> None:
    """Described are exactly the topics, dead-letter topics too, that `migrate` creates."""
    assert set(document["channels"]) == set(wanted_topics(all_services()))


def test_every_fact_has_a_message(document: dict[str, Any], landscape: Landscape) -> None:
    """A reader finds each type with its headers and payload."""
    for topic in landscape.topics:
        for fact in topic.facts.values():
            message = document["components"]["messages"][topic.type_of(fact)]
            assert resolve(document, message["payload"]["$ref"])
            headers = "IngestHeaders" if topic.external else "CloudEventHeaders"
            assert message["headers"]["$ref"].endswith(headers)


def test_names_follow_the_rules(landscape: Landscape) -> None:
    """Topic, type and class say the same: registry.model-version.v1, …created, ModelVersionCreated."""
    for topic in landscape.topics:
        assert re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*\.v\d+", topic.name)
        for participle, fact in topic.facts.items():
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*", participle)
            ending = "".join(word.title() for word in participle.split("-"))
            assert fact.__name__.endswith(ending)


def test_public_routes_are_a_short_list() -> None:
    """No operation works without login, but those that are named here."""
    found = {
        path
        for surface in surfaces(all_services())
        for route in surface.routes
        if route.permission == PUBLIC
        for path in route.paths
    }
    own = {route.path: asked_of(route) for route in own_routes()}
    assert found | {path for path, asked in own.items() if asked == PUBLIC} <= PUBLIC_PATHS


def test_every_route_of_our_own_says_what_it_asks_of_its_caller() -> None:
    """A permission that there is, the operator's credential, or that it asks for nothing."""
    for route in own_routes():
        assert asked_of(route) in {*PERMISSIONS, OPERATE, PUBLIC}, route.path


def test_operations_have_names_of_their_own() -> None:
    """An OpenAPI reader can tell a service's operations apart."""
    for file in (ROOT / "docs/openapi").glob("*.json"):
        paths = json.loads(file.read_text())["paths"]
        names = [each["operationId"] for path in paths.values() for each in path.values()]
        assert len(names) == len(set(names)), file.name
