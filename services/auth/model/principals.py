"""Minting principals: the claims auth puts its signature under."""

import secrets
from collections.abc import Mapping
from typing import Any

import jwt

from libs.common.principal import ISSUER, LIFETIME_SECONDS, Principal
from services.auth.model.credential import Credential
from services.auth.model.signing import SigningKey


def lifetime(credential: Credential, now: int) -> int:
    """Seconds a principal for `credential` may live: 60, or what the token has left if less."""
    if credential.expires_at is None:
        return LIFETIME_SECONDS
    return min(LIFETIME_SECONDS, int(credential.expires_at.timestamp()) - now)


def mint(credential: Credential, audience: str, key: SigningKey, now: int) -> str:
    """A signed principal for one audience, from `now` (seconds since 1970) on."""
    claims = {
        "sub": credential.subject,
        "act": credential.actor,
        "tenant": str(credential.tenant_id),
        "tno": credential.tenant_no,
        "ws": credential.workspace_id,
        "wsn": credential.workspace,
        "scope": " ".join(credential.scopes),
        "pep": credential.access_version,
    }
    if credential.expires_at is not None:
        claims["cex"] = int(credential.expires_at.timestamp())
    return _signed(claims, audience, key, now, now + lifetime(credential, now))


def mint_in_workspace(
    principal: Principal, audience: str, workspace: tuple[int, str], key: SigningKey, now: int
) -> str:
    """A principal of the same caller in another workspace (number, name), for one read.

    It lives no longer than the caller's own.
    """
    claims = {
        "sub": principal.subject,
        "act": principal.actor,
        "tenant": principal.tenant,
        "tno": principal.tenant_no,
        "ws": workspace[0],
        "wsn": workspace[1],
        "scope": " ".join(principal.scopes),
        "pep": principal.epoch,
        "cex": principal.credential_ends,
    }
    until = min(principal.expires_at, now + LIFETIME_SECONDS)
    return _signed(claims, audience, key, now, until)


def _signed(claims: Mapping[str, Any], audience: str, key: SigningKey, now: int, until: int) -> str:
    common = {"iss": ISSUER, "aud": audience, "iat": now, "nbf": now, "exp": until}
    return jwt.encode(
        {**common, **claims, "jti": secrets.token_urlsafe(12)},
        key.private,
        algorithm="EdDSA",
        headers={"kid": key.kid},
    )
