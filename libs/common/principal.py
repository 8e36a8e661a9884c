"""The signed principal: who a request speaks for, minted by auth and verified by each service.

A compact JWS (RFC 7515, RFC 7519) signed with Ed25519 (RFC 8037). It names tenant, workspace,
subject and scopes, never the grants: the service that owns the resource decides what is allowed.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import jwt
import msgspec
from jwt.types import Options

from libs.common.access.rights import NO_RIGHTS, Rights
from libs.common.errors import unauthenticated, unavailable
from libs.common.workspaces import DEFAULT_NAME

PRINCIPAL_HEADER: Final = "x-maestro-principal"
ISSUER: Final = "maestro-auth"
LIFETIME_SECONDS: Final = 60
LEEWAY_SECONDS: Final = 30
NO_TENANT_NO: Final = 0
_OPERATOR: Final = "operator:"
_MOST_CACHED: Final = 10_000
_PAUSE_SECONDS: Final = 1.0
_CLAIMS: Final = ["iss", "aud", "sub", "act", "tenant", "tno", "ws", "scope", "pep", "exp", "nbf"]


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified caller; `tenant` is a UUID, `tenant_no` its short number inside tables.

    `workspace` is the name of the workspace, `workspace_id` its number inside tables. `actor` is the id of the credential that was used,
    `expires_at` seconds since 1970, `token` the signed form for an exchange. `credential_ends` is
    when that credential itself ends, in seconds since 1970, 0 where it does not. `epoch` is the version
    of the subject's access, and `rights` are what that access allows: none until they are given.
    """

    tenant: str
    tenant_no: int
    workspace_id: int
    subject: str
    actor: str
    scopes: tuple[str, ...]
    audience: str
    epoch: int
    expires_at: int
    token: str
    workspace: str = DEFAULT_NAME
    credential_ends: int = 0
    rights: Rights = field(default=NO_RIGHTS, compare=False, repr=False)

    @property
    def is_operator(self) -> bool:
        """Whether it is the platform's operator, who is of no tenant and sees none's data."""
        return self.tenant_no == NO_TENANT_NO and self.subject.startswith(_OPERATOR)


FetchKeys = Callable[[], Awaitable[dict[str, Any]]]


class Verifier:
    """Verifies principals for one audience; each is verified once and then known by its bytes."""

    def __init__(self, audience: str, fetch_keys: FetchKeys) -> None:
        self._audience = audience
        self._fetch_keys = fetch_keys
        self._keys: dict[str, jwt.PyJWK] = {}
        self._known: dict[str, Principal] = {}
        self._asked_at = -_PAUSE_SECONDS
        self._keys_away = False
        self._fetching = asyncio.Lock()

    async def verify(self, raw: str | None) -> Principal:
        """The principal behind `raw`; raises a 401 refusal for anything not to be trusted."""
        if raw is None:
            raise unauthenticated("No principal: requests reach this service through the gateway.")
        known = self._known.get(raw)
        if known is None:
            known = await self._verify(raw)
            if len(self._known) >= _MOST_CACHED:
                self._known.clear()
            self._known[raw] = known
        if known.expires_at + LEEWAY_SECONDS < time.time():
            self._known.pop(raw, None)
            raise unauthenticated("The principal has expired.")
        return known

    async def _verify(self, raw: str) -> Principal:
        try:
            key = await self._key(str(jwt.get_unverified_header(raw).get("kid")))
            claims = jwt.decode(
                raw,
                key,
                algorithms=["EdDSA"],
                audience=self._audience,
                issuer=ISSUER,
                leeway=LEEWAY_SECONDS,
                options=Options(require=_CLAIMS, strict_aud=True),
            )
            return _principal(claims, raw)
        except (jwt.PyJWTError, KeyError, TypeError, ValueError) as problem:
            raise unauthenticated("The principal is not valid.") from problem

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys:
            async with self._fetching:
                # A flood of unknown key ids must not become a flood of fetches.
                # Auth being away must not become a queue of callers who each wait for it.
                if kid not in self._keys and time.monotonic() - self._asked_at > _PAUSE_SECONDS:
                    await self._fetch()
        if kid in self._keys:
            return self._keys[kid]
        if self._keys_away:
            raise unavailable("The signing keys cannot be read; try again.")
        raise jwt.InvalidKeyError("unknown key id")

    async def _fetch(self) -> None:
        self._keys_away = True
        try:
            published = await self._fetch_keys()
        except (OSError, TimeoutError, msgspec.DecodeError) as problem:
            raise unavailable("The signing keys cannot be read; try again.") from problem
        finally:
            self._asked_at = time.monotonic()
        self._keys_away = False
        self._keys = {
            key.key_id: key
            for key in jwt.PyJWKSet.from_dict(published).keys
            if key.key_id and key.algorithm_name == "EdDSA"
        }


def _principal(claims: dict[str, Any], raw: str) -> Principal:
    return Principal(
        tenant=str(claims["tenant"]),
        tenant_no=int(claims["tno"]),
        workspace_id=int(claims["ws"]),
        subject=str(claims["sub"]),
        actor=str(claims["act"]),
        scopes=tuple(str(claims["scope"]).split()),
        audience=str(claims["aud"]),
        epoch=int(claims["pep"]),
        expires_at=int(claims["exp"]),
        token=raw,
        workspace=str(claims.get("wsn", DEFAULT_NAME)),
        credential_ends=int(claims.get("cex", 0)),
    )
