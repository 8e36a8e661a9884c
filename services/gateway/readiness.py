"""Whether the gateway can serve: each service behind it is asked whether it is ready."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from starlette.responses import Response

from libs.common.errors import Refusal
from libs.common.http.calling import call
from libs.common.http.types import ASGIApp

_SECONDS: Final = 2.0


async def readiness(peers: Mapping[str, ASGIApp], names: Sequence[str]) -> Response:
    """200 where all services are ready, else 503; the body names the state of each."""
    states = await asyncio.gather(*(_state(peers.get(name)) for name in names))
    ready = all(state == "ready" for state in states)
    return Response(
        msgspec.json.encode(dict(zip(names, states, strict=True))),
        status_code=200 if ready else 503,
        media_type="application/json",
        headers={} if ready else {"retry-after": "1"},
    )


async def _state(upstream: ASGIApp | None) -> str:
    if upstream is None:
        return "away"
    try:
        reply = await call(upstream, "GET", "/ready", timeout=_SECONDS)
    except Refusal:
        return "away"
    return "ready" if reply.status == 200 else "not ready"
