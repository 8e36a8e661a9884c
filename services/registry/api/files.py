"""A version's files, as web pages ask for them: found here, streamed from tracking."""

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from libs.common.errors import unavailable
from libs.common.http.routes import Call, Routes
from libs.common.http.types import ASGIApp, Receive, Scope, Send
from libs.common.http.wire import require
from libs.common.principal import PRINCIPAL_HEADER
from libs.common.telemetry.tracing import current_traceparent
from services.registry import schemas
from services.registry.commands.places import place
from services.registry.model import names
from services.registry.model.sources import file_segments
from services.registry.queries import versions
from services.registry.state import State

_TRACKING: Final = "tracking"
_ROOT: Final = ("api", "2.0", "mlflow-artifacts", "artifacts")
# What asks for a part of a file, or for a file unless it is known already.
_PASSED_ON: Final = frozenset({b"range", b"if-range", b"if-none-match", b"x-request-id"})

routes = Routes()


@routes.plain("GET", "/model-versions/get-artifact", permission="model.read")
async def get_model_version_artifact(call: Call, body: schemas.VersionFile) -> Response:
    """One file of a version, as an attachment."""
    require(body, "name", "version", "path")
    number = names.version_number(body.name, body.version)
    below = file_segments(body.path)
    async with call.running.database.reading(call.principal.tenant_no) as connection:
        location = await versions.location(
            connection, call.principal, call.permission, body.name, number
        )
    above = await place(call.running, call.principal, location)
    tracking = call.running.peers.get(_TRACKING)
    if tracking is None:
        raise unavailable("The tracking service has not started; try again.")
    state: State = call.running.state
    token = await state.exchange.principal_for(call.principal, _TRACKING)
    return _FromPeer(tracking, "/" + "/".join((*_ROOT, *above, *below)), token)


class _FromPeer(Response):
    """What another service answers to the same caller, streamed through as it comes."""

    def __init__(self, app: ASGIApp, path: str, token: str) -> None:
        super().__init__()
        self._app = app
        self._path = path
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [pair for pair in scope["headers"] if pair[0] in _PASSED_ON]
        headers.append((PRINCIPAL_HEADER.encode(), self._token.encode()))
        if trace := current_traceparent():
            headers.append((b"traceparent", trace.encode()))
        asked = dict(scope) | {
            "method": "GET",
            "path": self._path,
            "raw_path": quote(self._path).encode(),
            "query_string": b"",
            "headers": headers,
        }
        await self._app(asked, receive, send)
