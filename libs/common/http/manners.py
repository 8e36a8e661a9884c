"""Manners of every HTTP surface: request ids, size and time limits, Host and Origin, error forms.

One ASGI wrapper. It answers refusals in the protocol's own form: MLflow's error JSON, or problem
details (RFC 9457) under our own API. What nobody foresaw becomes a 500 without its insides.
"""

import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import msgspec
from opentelemetry.trace import SpanKind

from libs.common.errors import Refusal, late, too_large
from libs.common.http.idle import Patience
from libs.common.http.types import ASGIApp, Message, Receive, Scope, Send
from libs.common.http.wire import error_body
from libs.common.telemetry.logs import logger, tenant_of_lines
from libs.common.telemetry.metrics import REQUESTS_OPEN, answered
from libs.common.telemetry.tracing import Tracing

OWN_API: Final = ("/api/maestro/", "/internal/", "/.well-known/")
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_REQUEST_ID: Final = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_UNREAD: Final = (408, 413)  # the body was not read to its end: nothing can follow it
_SET_HERE: Final = (b"x-request-id", b"connection")
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a surface accepts. `hosts` empty: loopback names only; ("*",): any, behind a gateway.

    `idle_seconds` is how long a client may send nothing while its request's body is awaited.
    """

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    body_bytes: int | None = None
    idle_seconds: float = 60.0


class Manners:
    """Wraps an ASGI app with the manners above; a route's name comes from `scope["route_name"]`."""

    def __init__(self, app: ASGIApp, *, service: str, tracing: Tracing, limits: Limits) -> None:
        self._app = app
        self._service = service
        self._tracing = tracing
        self._limits = limits
        self._open = REQUESTS_OPEN.labels(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # What the app puts into `answer_headers` stands in the answer, whoever gives it.
        scope = {**scope, "answer_headers": []}
        answer = _Answer(send, _request_id(scope), scope["answer_headers"])
        headers = dict(scope["headers"])
        started = time.perf_counter()
        self._open.inc()
        try:
            with tenant_of_lines():
                if self._tracing.enabled:
                    await self._traced(scope, receive, answer, headers)
                else:
                    await self._guarded(scope, receive, answer, headers)
        finally:
            self._open.dec()
            route = scope.get("route_name", "unknown")
            count, seconds = answered(self._service, route, scope["method"], answer.status)
            count.inc()
            seconds.observe(time.perf_counter() - started)

    async def _traced(
        self, scope: Scope, receive: Receive, answer: "_Answer", headers: dict[bytes, bytes]
    ) -> None:
        with self._tracing.span(
            f"{scope['method']} {self._service}",
            kind=SpanKind.SERVER,
            parent=headers.get(b"traceparent", b"").decode("latin-1"),
            attributes={"http.request.method": scope["method"], "url.path": scope["path"]},
        ) as span:
            await self._guarded(scope, receive, answer, headers)
            if span is not None:
                span.set_attribute("http.response.status_code", answer.status)
                span.update_name(f"{self._service} {scope.get('route_name', 'unknown')}")

    async def _guarded(
        self, scope: Scope, receive: Receive, answer: "_Answer", headers: dict[bytes, bytes]
    ) -> None:
        try:
            self._check_origin(scope, headers)
            await self._app(scope, bounded(receive, headers, self._limits), answer)
        except Refusal as refusal:
            own = scope["path"].startswith(OWN_API)
            # A browser would ask for a password itself, and then send it along with everything.
            await answer.refuse(refusal, own=own, browser=b"sec-fetch-mode" in headers)
        except ConnectionAbortedError:  # the client left: there is nobody to answer
            return
        except Exception:  # noqa: BLE001 - the last resort
            _log.exception("request_failed", service=self._service, path=scope["path"])
            failure = Refusal(
                "INTERNAL_ERROR",
                f"Something went wrong here, not in your request (request {answer.request_id}).",
            )
            await answer.refuse(failure, own=scope["path"].startswith(OWN_API))

    def _check_origin(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        if "*" not in self._limits.hosts:
            host = _host_of(headers.get(b"host", b""))
            if host not in _LOOPBACK and host not in self._limits.hosts:
                raise Refusal(
                    "PERMISSION_DENIED",
                    f"Host {host!r} is not served here: add it to MAESTRO_ALLOWED_HOSTS.",
                )
        origin = headers.get(b"origin")
        if origin is not None and scope["method"] not in _SAFE:
            self._refuse_foreign(origin.decode("latin-1"), headers)

    def _refuse_foreign(self, origin: str, headers: dict[bytes, bytes]) -> None:
        own = headers.get(b"host", b"").decode("latin-1")
        whence = _netloc_of(origin)
        if (not whence or whence != own) and origin not in self._limits.origins:
            raise Refusal(
                "PERMISSION_DENIED",
                f"Origin {origin!r} may not write here: add it to MAESTRO_ALLOWED_ORIGINS.",
            )


class _Answer:
    """The way out: adds the request id, knows the status, and can still refuse before it began."""

    def __init__(self, send: Send, request_id: str, added: list[tuple[bytes, bytes]]) -> None:
        self._send = send
        self._added = added
        self.request_id = request_id
        self.status = 499
        self.begun = False
        self.ended = False
        self._closes = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.status = message["status"]
            kept = [pair for pair in message.get("headers", ()) if pair[0] not in _SET_HERE]
            kept.append((b"x-request-id", self.request_id.encode()))
            kept.extend(self._added)
            if self._closes or self.status in _UNREAD:
                kept.append((b"connection", b"close"))
            message = {**message, "headers": kept}
        elif not message.get("more_body"):
            self.ended = True
        await self._send(message)

    async def refuse(self, refusal: Refusal, *, own: bool, browser: bool = False) -> None:
        """Answer a refusal; where an answer is under way it is cut, as nothing else is honest."""
        if self.ended:
            return
        if self.begun:
            raise ConnectionAbortedError("an answer under way could not be finished")
        self._closes = refusal.closes
        headers, body = refused(refusal, own=own, browser=browser)
        await self({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def refused(
    refusal: Refusal, *, own: bool, browser: bool = False
) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of a refusal: MLflow's error JSON, or problem details in our own API.

    A `browser` is not invited to send Basic.
    """
    body = _problem(refusal) if own else error_body(refusal)
    kind = b"application/problem+json" if own else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if refusal.retry_after is not None:
        headers.append((b"retry-after", str(refusal.retry_after).encode()))
    if refusal.status == 401:
        basic = b"" if browser else b', Basic realm="maestro"'
        headers.append((b"www-authenticate", b'Bearer realm="maestro"' + basic))
    return headers, body


def _problem(refusal: Refusal) -> bytes:
    """Problem details of RFC 9457; `code` is the same word that MLflow routes answer."""
    return msgspec.json.encode(
        {
            "type": "about:blank",
            "title": refusal.code.replace("_", " ").capitalize(),
            "status": refusal.status,
            "detail": refusal.message,
            "code": refusal.code,
        }
    )


def _request_id(scope: Scope) -> str:
    """The caller's X-Request-Id where it is a plain one, else a new one; kept in the scope."""
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.match(value):
            return value.decode()
    made = secrets.token_hex(16)
    scope["headers"] = [*scope["headers"], (b"x-request-id", made.encode())]
    return made


def _netloc_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


@lru_cache(maxsize=1_000)
def _host_of(header: bytes) -> str:
    try:
        return urlsplit(f"//{header.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""


def declared_length(header: bytes) -> int:
    """The length that a request claims for its body, 0 for none; what comes is counted besides."""
    return int(header[:19]) if header.isdigit() else 0


def bounded(receive: Receive, headers: dict[bytes, bytes], limits: Limits) -> Receive:
    """The way in of a body: at most so many bytes, and none of them long awaited."""
    most = limits.body_bytes
    declared = headers.get(b"content-length")
    if most is None and declared in (None, b"0") and b"transfer-encoding" not in headers:
        return receive
    if most is not None and declared_length(declared or b"") > most:
        raise too_large(f"The body is larger than {most} bytes.")
    return _Incoming(receive, most, limits.idle_seconds)


class _Incoming:
    """The body's way in. After the body's end only the client's leaving is awaited: no limit."""

    __slots__ = ("_ended", "_idle", "_most", "_patience", "_receive", "_taken")

    def __init__(self, receive: Receive, most: int | None, idle: float) -> None:
        self._receive = receive
        self._most = most
        self._idle = idle
        self._patience = Patience(idle)
        self._taken = 0
        self._ended = False

    async def __call__(self) -> Message:
        if self._ended:
            return await self._receive()
        try:
            message = await self._patience.within(self._receive())
        except TimeoutError:
            raise late(
                f"No byte of the body came for {self._idle:g} s; send it again without a pause."
            ) from None
        if not message.get("more_body", False):
            self._ended = True
            self._patience.end()
        self._taken += len(message.get("body", b""))
        if self._most is not None and self._taken > self._most:
            raise too_large(f"The body is larger than {self._most} bytes.")
        return message
