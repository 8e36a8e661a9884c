"""The caller's principal exchanged at auth for another audience, for a read of that service.

The request is a token exchange of RFC 8693; auth answers it to services that show their secret.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

import msgspec

from libs.common.access.asking import shown_secret
from libs.common.errors import unauthenticated, unavailable
from libs.common.http.calling import Reply, call
from libs.common.http.types import ASGIApp
from libs.common.principal import Principal

_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_PRINCIPAL: Final = "urn:ietf:params:oauth:token-type:jwt"
_SECONDS: Final = 2.0
_UNUSED_SECONDS: Final = 5  # not used in its last seconds, so that it does not expire on its way
_MOST_CACHED: Final = 1_000


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int


class _Refused(msgspec.Struct):
    error: str = ""
    credential_refused: bool = False


@dataclass(frozen=True, slots=True)
class PrincipalExchange:
    """Asks auth among `peers` in the name of `service`; what it got is used until it expires."""

    service: str
    secret: str
    peers: Mapping[str, ASGIApp]
    clock: Callable[[], float] = time.time
    _held: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)

    async def principal_for(self, principal: Principal, audience: str) -> str:
        """The caller's principal for `audience`, as that service takes it in the header.

        Raises a 401 refusal where auth no longer accepts the caller, a 503 where it cannot say.
        """
        key = (principal.token, audience)
        token, usable_until = self._held.get(key, ("", 0.0))
        if usable_until > self.clock():
            return token
        asked_at = self.clock()
        granted = _granted(await self._ask(principal, audience))
        if len(self._held) >= _MOST_CACHED:
            self._held.clear()
        self._held[key] = granted.access_token, asked_at + granted.expires_in - _UNUSED_SECONDS
        return granted.access_token

    async def _ask(self, principal: Principal, audience: str) -> Reply:
        auth = self.peers.get("auth")
        if auth is None:
            raise unavailable("The auth service has not started; try again.")
        form = {
            "grant_type": _GRANT,
            "subject_token": principal.token,
            "subject_token_type": _PRINCIPAL,
            "audience": audience,
        }
        return await call(
            auth,
            "POST",
            "/internal/token",
            headers=[
                ("authorization", shown_secret(self.service, self.secret)),
                ("content-type", "application/x-www-form-urlencoded"),
            ],
            body=urlencode(form).encode(),
            timeout=_SECONDS,
        )


def _granted(reply: Reply) -> _Granted:
    try:
        if reply.status == 200:
            return msgspec.json.decode(reply.body, type=_Granted)
        refused = msgspec.json.decode(reply.body, type=_Refused)
    except msgspec.MsgspecError as problem:
        raise unavailable("The caller cannot be vouched for now; try again.") from problem
    if refused.credential_refused:
        raise unauthenticated("The principal is not accepted any more.")
    raise unavailable("The caller cannot be vouched for now; try again.")
