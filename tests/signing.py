"""A stand-in for auth's keys: signs principals that a service under test accepts."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from libs.common.access.asking import PATH as ACCESS_PATH
from libs.common.access.authority import Told
from libs.common.access.roles import ROLES
from libs.common.contracts.auth import Access, AccessRule
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
        # What subjects may do, by their name: everything, unless a test says otherwise.
        self.access: dict[str, Told] = {}

    def principal(
        self,
        tenant: Tenant,
        audience: str,
        *,
        workspace_id: int = 1,
        workspace: str = "default",
        **claims: Any,
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
            "wsn": workspace,
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
        """Answer as auth does: what a subject may do, and on every other path the key set."""
        if scope["path"] == ACCESS_PATH:
            await self._tell_access(scope, send)
            return
        key = OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        keys = {"keys": [{**key, "kid": self.kid, "alg": "EdDSA", "use": "sig"}]}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": msgspec.json.encode(keys)})

    async def _tell_access(self, scope: Scope, send: Send) -> None:
        (subject,) = parse_qs(scope["query_string"].decode())["subject"]
        told = self.access.get(subject) or access_by(subject)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": msgspec.json.encode(told)})


def access_by(subject: str, role: str = "owner", *rules: AccessRule, version: int = 1) -> Told:
    """What a subject with a role, and with rules besides, may do; '' for no role."""
    of_role = [
        AccessRule(rule_id=f"role:{name}", effect="allow", permissions=sorted(ROLES[name]))
        for name in [role]
        if name
    ]
    return Told(version, Access(subject=subject, status="active", rules=[*of_role, *rules]))
