"""People of a tenant under test: clients whose subjects may do what a role and rules say."""

import uuid
from typing import Any

from libs.common.contracts.auth import AccessRule
from tests.serving import Client
from tests.signing import Signer, Tenant, access_by


class _Speaking(Signer):
    """Signs for one subject with another signer's key."""

    def __init__(self, signer: Signer, subject: str, scope: str) -> None:
        self.key, self.kid, self.access = signer.key, signer.kid, signer.access
        self._claims = {"sub": subject, "scope": scope}

    def principal(
        self, tenant: Tenant, audience: str, *, workspace_id: int = 1, **claims: Any
    ) -> str:
        """A principal of the subject."""
        claims = self._claims | claims
        return super().principal(tenant, audience, workspace_id=workspace_id, **claims)


class Person(Client):
    """A client that speaks for one member."""

    def __init__(self, client: Client, subject: str, scope: str) -> None:
        signer = _Speaking(client.signer, subject, scope)
        super().__init__(client.app, client.running, signer, client.tenant)
        self.subject = subject

    def may(self, role: str, *rules: AccessRule, version: int) -> None:
        """From `version` of the access on, the member may do just this."""
        self.signer.access[self.subject] = access_by(self.subject, role, *rules, version=version)


def person(client: Client, role: str, *rules: AccessRule, scope: str = "*") -> Person:
    """A member of the client's tenant with a role ('' for none) and rules of its own."""
    member = Person(client, f"user:{uuid.uuid4()}", scope)
    member.may(role, *rules, version=1)
    return member


def allow(pattern: str, *permissions: str) -> AccessRule:
    """A grant on experiments of workspace 1."""
    return _rule("allow", pattern, permissions)


def deny(pattern: str, *permissions: str) -> AccessRule:
    """A denial on experiments of workspace 1."""
    return _rule("deny", pattern, permissions)


def _rule(effect: Any, pattern: str, permissions: tuple[str, ...]) -> AccessRule:
    return AccessRule(
        rule_id=uuid.uuid4().hex,
        effect=effect,
        permissions=list(permissions),
        kind="experiment",
        workspace_id=1,
        pattern=pattern,
    )
