"""A service's HTTP surface: its routes, its own REST beside them, health, readiness and metrics."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match
from starlette.routing import Route as TemplateRoute

from libs.common.errors import Refusal, invalid, too_large, unavailable
from libs.common.http.checks import schema_of
from libs.common.http.manners import OWN_API, Limits, Manners, bounded, declared_length, refused
from libs.common.http.routes import JSON_BODY_LIMIT, Call, Route, Routes, answer_of, caller_of
from libs.common.http.types import ASGIApp, Receive, Scope, Send, header
from libs.common.http.wire import decode_body, decode_query, error_body
from libs.common.principal import PRINCIPAL_HEADER
from libs.common.service import Running
from libs.common.telemetry.gathering import gathered
from libs.common.telemetry.metrics import CONTENT_TYPE

JSON_SECONDS: Final = 60.0
_READ_AT_ONCE: Final = 256 * 1024
# One large body after the other, so that their messages are not all in memory at once.
_READER: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
# Of our own REST, whose bodies are read whole and checked field by field in the event loop.
OWN_BODY_LIMIT: Final = 1024 * 1024
_OWN_LIMITS: Final = Limits(body_bytes=OWN_BODY_LIMIT)
_MOST_SHOWN: Final = 20
_PRINCIPAL: Final = PRINCIPAL_HEADER.encode()
_JSON: Final = (b"content-type", b"application/json")


def application(running: Running, routes: Routes, routers: Iterable[APIRouter] = ()) -> ASGIApp:
    """The ASGI app of a service.

    Exact paths are found in a dictionary, paths with parameters by Starlette's patterns, our own
    REST by FastAPI; a path that nobody serves is a 404 in MLflow's form.
    """
    own = FastAPI(
        title=f"Maestro {running.name}",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    own.state.running = running
    own.add_exception_handler(Refusal, _on_refusal)
    own.add_exception_handler(Exception, _on_failure)
    own.add_exception_handler(RequestValidationError, _on_invalid)
    own.add_exception_handler(HTTPException, _on_unread)
    own.add_exception_handler(404, _on_unknown)
    own.add_exception_handler(405, _on_unknown)
    for router in routers:
        own.include_router(router)
    dispatcher = _Dispatcher(running, routes, own)
    hosts = Limits(hosts=("*",), origins=("*",))
    return Manners(dispatcher, service=running.name, tracing=running.tracing, limits=hosts)


class _Dispatcher:
    """Finds the route of a request and runs its handler."""

    def __init__(self, running: Running, routes: Routes, own: ASGIApp) -> None:
        self._running = running
        self._own = own
        self._exact: dict[tuple[str, str], Route] = {}
        self._patterns: list[tuple[TemplateRoute, Route]] = []
        for route in routes.all:
            for path in route.paths:
                if "{" in path:
                    template = TemplateRoute(path, _never, methods=[route.method])
                    self._patterns.append((template, route))
                else:
                    self._exact[route.method, path] = route
                    if route.method == "GET":
                        self._exact.setdefault(("HEAD", path), route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._exact.get((scope["method"], scope["path"])) or self._by_pattern(scope)
        if route is not None:
            scope["route_name"] = route.name
            await self._respond(route, scope, receive, send)
        elif (probe := _PROBES.get(scope["path"])) is not None:
            scope["route_name"] = "probe"
            await (await probe(self._running))(scope, receive, send)
        elif allowed := self._methods(scope):
            scope["route_name"] = "unknown"
            await _wrong_method(scope, allowed)(scope, receive, send)
        else:
            scope["route_name"] = "own"
            await self._own(scope, bounded(receive, dict(scope["headers"]), _OWN_LIMITS), send)

    def _by_pattern(self, scope: Scope) -> Route | None:
        for template, route in self._patterns:
            match, found = template.matches(scope)
            if match is Match.FULL:
                scope["path_params"] = found["path_params"]
                return route
        return None

    def _methods(self, scope: Scope) -> list[str]:
        """The methods that a path is served under."""
        exact = {method for method, path in self._exact if path == scope["path"]}
        return sorted(
            exact.union(
                *(
                    t.methods or ()
                    for t, _ in self._patterns
                    if t.matches(scope)[0] is not Match.NONE
                )
            )
        )

    async def _respond(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        principal = header(scope["headers"], _PRINCIPAL)
        given = None if principal is None else principal.decode("latin-1")
        caller = await caller_of(self._running, route, given)
        call = Call(Request(scope, receive), self._running, caller, route.permission)
        answer = await self._answer(route, call)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
        else:
            await _send_json(answer, send)

    async def _answer(self, route: Route, call: Call) -> Response | bytes:
        try:
            if route.streams:
                return answer_of(await route.handler(call))
            async with asyncio.timeout(JSON_SECONDS):
                return answer_of(await _run(route, call))
        except ClientDisconnect:
            raise ConnectionAbortedError("the client left") from None
        except TimeoutError:
            raise Refusal(
                "DEADLINE_EXCEEDED", f"No answer within {JSON_SECONDS:.0f} s.", retry_after=1
            ) from None


async def _run(route: Route, call: Call) -> Any:
    if route.body is None:
        return await route.handler(call)
    if route.method == "GET":
        query = call.request.scope["query_string"].decode("latin-1")
        # A request without a query may have a body where MLflow reads messages.
        if query or schema_of(route.body) is None:
            return await route.handler(call, decode_query(query, route.body))
    if route.method in ("POST", "PUT"):
        _insist_json(header(call.request.scope["headers"], b"content-type"))
    body = await read_body(call.request)
    if len(body) <= _READ_AT_ONCE:
        return await route.handler(call, decode_body(body, route.body))
    # Beside the loop: a large body of strange fields takes seconds, and no other request waits for it.
    loop = asyncio.get_running_loop()
    return await route.handler(
        call, await loop.run_in_executor(_READER, decode_body, body, route.body)
    )


async def _send_json(body: bytes, send: Send) -> None:
    headers = [(b"content-length", b"%d" % len(body)), _JSON]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _insist_json(content_type: bytes | None) -> None:
    """Refuse other bodies in MLflow's words: a web page can send those without being asked."""
    if content_type is None:
        raise invalid("Bad Request. Content-Type header is missing.")
    if content_type.split(b";")[0] != b"application/json":
        raise invalid("Bad Request. Content-Type must be one of ['application/json'].")


async def read_body(request: Request, limit: int = JSON_BODY_LIMIT) -> bytes:
    """The whole body; a refusal 413 as soon as it passes `limit` bytes."""
    if declared_length(header(request.scope["headers"], b"content-length") or b"") > limit:
        raise too_large(f"The body is larger than {limit} bytes.")
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(f"The body is larger than {limit} bytes.")
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _on_refusal(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refusal)
    path = request.url.path
    headers, body = refused(problem, own=path.startswith(OWN_API))
    answer = Response(body, problem.status)
    answer.raw_headers = headers
    return answer


async def _on_failure(request: Request, _: Exception) -> Response:
    # Starlette raises the failure on after this answer, and the manners log it.
    return await _on_refusal(
        request, Refusal("INTERNAL_ERROR", "Something went wrong here, not in your request.")
    )


async def _on_invalid(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, RequestValidationError)
    errors = problem.errors()
    fields = [
        f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}"
        for found in errors[:_MOST_SHOWN]
    ]
    if len(errors) > _MOST_SHOWN:
        fields.append(f"and {len(errors) - _MOST_SHOWN} more")
    return await _on_refusal(request, invalid("; ".join(fields)))


async def _on_unread(request: Request, problem: Exception) -> Response:
    """A body that FastAPI could not even parse, which it answers in a form of its own.

    It takes whatever ends the reading for that, a refusal on the way too.
    """
    assert isinstance(problem, HTTPException)
    if isinstance(problem.__cause__, Refusal):
        return await _on_refusal(request, problem.__cause__)
    refusal = Refusal("BAD_REQUEST", f"{problem.detail}.", status=problem.status_code)
    return await _on_refusal(request, refusal)


async def _on_unknown(request: Request, _: Exception) -> Response:
    what = f"No such operation: {request.method} {request.url.path}"
    return await _on_refusal(request, Refusal("ENDPOINT_NOT_FOUND", what))


def _wrong_method(scope: Scope, allowed: list[str]) -> Response:
    what = f"No such operation: {scope['method']} {scope['path']}"
    body = error_body(Refusal("ENDPOINT_NOT_FOUND", what))
    return Response(body, 405, {"allow": ", ".join(allowed)}, "application/json")


async def _never(_: Request) -> Response:
    raise AssertionError("templates are matched here and run by the dispatcher")


async def _health(_: Running) -> Response:
    return PlainTextResponse("OK")


async def _ready(running: Running) -> Response:
    if not running.ready:
        raise unavailable("Starting; try again.")
    if running.storage is not None:
        await running.storage.fetchval("SELECT 1")
    return PlainTextResponse("ready")


async def _metrics(running: Running) -> Response:
    return Response(await gathered(running.replica), media_type=CONTENT_TYPE)


_PROBES: Final = {"/health": _health, "/ready": _ready, "/metrics": _metrics}
