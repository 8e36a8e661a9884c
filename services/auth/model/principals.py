"""Minting principals: the claims auth puts its signature under."""

import secrets
from collections.abc import Mapping
from typing import Any

import jwt

from libs.common.principal import ISSUER, LIFETIME_SECONDS
from services.auth.model.credential import Credential
from services.auth.model.signing import SigningKey


def lifetime(credential: Credential, now: int) -> int:
    """Seconds a principal for `credential` may live: 60, or what the token has left if less."""
    if credential.expires_at is None:
        return LIFETIME_SECONDS
    return min(LIFETIME_SECONDS, int(credential.expires_at.timestamp()) - now)


def mint(credential: Credential, audience: str, key: SigningKey, now: int) -> str:
    """A signed principal for one audience, from `now` (seconds since 1970) on."""
    return jwt.encode(
        dict(_claims(credential, audience, now)),
        key.private,
        algorithm="EdDSA",
        headers={"kid": key.kid},
    )


def _claims(credential: Credential, audience: str, now: int) -> Mapping[str, Any]:
    return {
        "iss": ISSUER,
        "aud": audience,
        "sub": credential.subject,
        "act": credential.actor,
        "tenant": str(credential.tenant_id),
        "tno": credential.tenant_no,
        "ws": credential.workspace_id,
        "scope": " ".join(credential.scopes),
        "pep": credential.access_version,
        "iat": now,
        "nbf": now,
        "exp": now + lifetime(credential, now),
        "jti": secrets.token_urlsafe(12),
    }
