"""A stand-in for auth's keys: signs principals that a service under test accepts."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from libs.common.http.types import Receive, Scope, Send
from libs.common.principal import ISSUER, LIFETIME_SECONDS


@dataclass
class Tenant:
    """A tenant in a test: its UUID and its short number."""

    number: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Signer:
    """One Ed25519 key, its published form as an ASGI app, and principals signed with it."""

    def __init__(self, kid: str = "test") -> None:
        self.key = Ed25519PrivateKey.generate()
        self.kid = kid

    def principal(
        self, tenant: Tenant, audience: str, *, workspace_id: int = 1, **claims: Any
    ) -> str:
        """A signed principal; `claims` override or, when None, remove single claims."""
        now = int(time.time())
        body: dict[str, Any] = {
            "iss": ISSUER,
            "aud": audience,
            "sub": "tester",
            "act": "token-1",
            "tenant": tenant.id,
            "tno": tenant.number,
            "ws": workspace_id,
            "scope": "*",
            "pep": 0,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": uuid.uuid4().hex,
        } | claims
        body = {name: value for name, value in body.items() if value is not None}
        return jwt.encode(body, self.key, algorithm="EdDSA", headers={"kid": self.kid})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer every path with the published key set."""
        key = OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        keys = {"keys": [{**key, "kid": self.kid, "alg": "EdDSA", "use": "sig"}]}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": msgspec.json.encode(keys)})
