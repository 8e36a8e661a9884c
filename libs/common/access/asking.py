"""Asking auth what a subject may do: one bounded read, in the name of the service that decides."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import quote_plus, urlencode

import msgspec

from libs.common.access.authority import Told
from libs.common.errors import unavailable
from libs.common.http.calling import call
from libs.common.http.types import ASGIApp
from libs.common.principal import Principal

PATH: Final = "/internal/access"
_SECONDS: Final = 2.0


def asks_auth(
    service: str, secret: str, peers: Mapping[str, ASGIApp]
) -> Callable[[Principal], Awaitable[Told]]:
    """A question to auth among `peers`, which are looked up when it is asked."""
    basic = shown_secret(service, secret)

    async def ask(principal: Principal) -> Told:
        auth = peers.get("auth")
        if auth is None:
            raise unavailable("The auth service has not started; try again.")
        reply = await call(
            auth,
            "GET",
            PATH,
            query=urlencode({"tenant_no": principal.tenant_no, "subject": principal.subject}),
            headers=[("authorization", basic)],
            timeout=_SECONDS,
        )
        try:
            if reply.status == 200:
                return msgspec.json.decode(reply.body, type=Told)
        except msgspec.MsgspecError as problem:
            raise unavailable("What you may do here cannot be told now; try again.") from problem
        raise unavailable("What you may do here cannot be told now; try again.")

    return ask


def shown_secret(service: str, secret: str) -> str:
    """The Authorization header by which a service shows auth who it is."""
    # Both halves are form-encoded before they are joined (RFC 6749, 2.3.1).
    pair = f"{quote_plus(service)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
