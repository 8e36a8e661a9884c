"""Every declared route with what its schema takes, and a sound request of it where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi.routing import APIRoute

from libs.common.http.manners import OWN_API
from services import all_services
from tests.security.fuzz.values import fields_of
from tests.security.matrix.ask import Ask
from tests.security.matrix.asks import ASKS
from tools.contracts.surfaces import surfaces

# Between services: the gateway has no way to them, and says so.
_INSIDE: Final = "/internal/"


@dataclass(frozen=True)
class Fuzzed:
    """A route; `kind` is its body's type, `query` the types of what stands in its query."""

    name: str
    method: str
    path: str
    kind: Any
    query: Mapping[str, Any]
    ask: Ask

    @property
    def own(self) -> bool:
        """Whether it is of our own REST, whose errors are problem details."""
        return self.path.startswith(OWN_API)


def fuzzed() -> dict[str, Fuzzed]:
    """All routes that the services declare."""
    found: list[Fuzzed] = []
    for surface in surfaces(all_services()):
        for route in surface.routes:
            kind, path = route.body, route.paths[0]
            query = fields_of(kind) if route.method == "GET" else {}
            body = None if route.method == "GET" else kind
            found.append(_of(route.name, route.method, path, body, query))
        for router in surface.routers:
            found += [_own(route) for route in router.routes if isinstance(route, APIRoute)]
    return {route.name: route for route in found if not route.path.startswith(_INSIDE)}


def _own(route: APIRoute) -> Fuzzed:
    bodies = [field.field_info.annotation for field in route.dependant.body_params]
    query = {field.name: field.field_info.annotation for field in route.dependant.query_params}
    method = min(route.methods or ())
    return _of(route.name, method, route.path, bodies[0] if bodies else None, query)


def _of(name: str, method: str, path: str, kind: Any, query: Mapping[str, Any]) -> Fuzzed:
    plain = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
    return Fuzzed(name, method, path, kind, query, ASKS.get(name) or Ask("read", plain))
