"""Routes: each operation declared beside its handler, with its permission and its body."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from libs.common.access.guard import not_allowed
from libs.common.access.permissions import PERMISSIONS
from libs.common.errors import denied
from libs.common.filters.pages import Page
from libs.common.principal import Principal
from libs.common.service import Running
from libs.common.telemetry.logs import log_tenant

PUBLIC: Final = "public"
BOTH: Final = ("/api", "/ajax-api")
API_ONLY: Final = ("/api",)
AJAX_ONLY: Final = ("/ajax-api",)
JSON_BODY_LIMIT: Final = 16 * 1024 * 1024


@dataclass(slots=True)
class Call:
    """One request in a handler's hands."""

    request: Request
    running: Running
    caller: Principal | None
    # What the route declares that its caller must be allowed.
    permission: str = PUBLIC

    @property
    def principal(self) -> Principal:
        """The verified caller; routes that are public have none."""
        if self.caller is None:
            raise RuntimeError("a public route has no principal")
        return self.caller

    def page(self, token: str | None) -> Page:
        """Which page of a search is asked for."""
        caller = self.principal
        return Page(self.running.page_key, caller.tenant_no, caller.workspace_id, token or "")


Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation: where it answers, what it takes, and what the caller must be allowed."""

    method: str
    paths: tuple[str, ...]
    permission: str
    handler: Handler
    body: type[msgspec.Struct] | None
    streams: bool

    @property
    def name(self) -> str:
        """The handler's name: the bounded label of metrics and spans."""
        return self.handler.__name__


class Routes:
    """The routes of one module or service, in the order of their declaration."""

    def __init__(self) -> None:
        self.all: list[Route] = []

    def mlflow(
        self, method: str, path: str, *, permission: str, prefixes: tuple[str, ...] = BOTH
    ) -> Callable[[Handler], Handler]:
        """Declare an MLflow operation (`2.0/mlflow/runs/create`) under its prefixes.

        A second parameter annotated with a msgspec Struct is decoded from the JSON body, or from
        the query string of a GET; without one the handler reads `call.request` itself, unbounded.
        """
        return self._declare(method, tuple(f"{prefix}/{path}" for prefix in prefixes), permission)

    def plain(self, method: str, path: str, *, permission: str) -> Callable[[Handler], Handler]:
        """Declare an operation at a path of its own, such as `/version`."""
        return self._declare(method, (path,), permission)

    def include(self, other: "Routes") -> None:
        """Add another module's routes."""
        self.all.extend(other.all)

    def _declare(
        self, method: str, paths: tuple[str, ...], permission: str
    ) -> Callable[[Handler], Handler]:
        if permission != PUBLIC and permission not in PERMISSIONS:
            raise LookupError(f"{permission} is no permission: see libs/common/access/permissions")

        def declare(handler: Handler) -> Handler:
            body = _body_of(handler)
            streams = body is None and method in ("PUT", "POST", "PATCH")
            self.all.append(Route(method, paths, permission, handler, body, streams))
            return handler

        return declare


def _body_of(handler: Handler) -> type[msgspec.Struct] | None:
    parameters = list(inspect.signature(handler).parameters)
    if len(parameters) < 2:
        return None
    kind = get_type_hints(handler)[parameters[1]]
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        raise TypeError(f"{handler.__name__}: annotate its body with a msgspec Struct")
    return kind


def answer_of(result: Any) -> Response | bytes:
    """What a handler returned: a response, ready JSON in bytes, anything else encoded."""
    return result if isinstance(result, Response | bytes) else msgspec.json.encode(result)


async def caller_of(running: Running, route: Route, principal: str | None) -> Principal | None:
    """The verified caller behind a request's header with its rights, None on a public route.

    Whoever may do this nowhere is refused here; on which resources one may is the handler's to ask.
    What is about a workspace names it in its path, and is the handler's to ask alone.
    """
    if route.permission == PUBLIC:
        return None
    caller = await principal_of(running, principal)
    selection = caller.rights.selection(route.permission, caller.workspace_id)
    of_path = PERMISSIONS[route.permission].kind == "workspace"
    if selection.nothing and not of_path and not route.permission.endswith(".read"):
        raise not_allowed(route.permission, "anything here", "")
    return caller


async def principal_of(running: Running, principal: str | None) -> Principal:
    """The verified caller behind a request's header with its rights; a 401 refusal without one.

    The platform's operator is refused: it is of no tenant, and has routes of its own.
    """
    caller = await running.verifier.verify(principal)
    if caller.is_operator:
        raise denied(
            "The platform's operator is a member of no tenant and may manage tenants only"
            " (/api/maestro/v1/tenants). Use a member's token for this."
        )
    log_tenant(caller.tenant_no)
    return await running.authority.given(caller)
