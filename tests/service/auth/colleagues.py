"""Members of a tenant for tests, each with a token, asked for what they do and may do."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import msgspec

from libs.common.access.authority import Told
from libs.common.access.rights import ALL_SCOPES, Rights, compile_rights
from libs.common.http.calling import Reply, call
from libs.common.principal import PRINCIPAL_HEADER
from services.auth.model.credential import subject_of
from services.auth.model.secrets import digest, new_secret
from services.auth.queries.access import told_of
from services.auth.store.identity import NewToken, add_token
from tests.service.auth.installation import Auth

OWN = "/api/maestro/v1"
FIRST_TENANT = 1
TEAM = {"kind": "experiment", "pattern": "team-a/*"}
READ = {"permissions": ["experiment.read", "run.read"]}


@dataclass(frozen=True)
class Person:
    """A member and a token of theirs."""

    auth: Auth = field(repr=False)
    user_id: UUID
    login: str
    token: str
    kind: str = "person"

    @property
    def subject(self) -> str:
        """How it is named."""
        return subject_of(self.user_id, self.kind)

    async def ask(self, method: str, path: str, body: object = None) -> Reply:
        """A request to auth's own REST in their name; `path` may carry a query."""
        path, _, query = path.partition("?")
        principal = await self.auth.principal(self.token)
        return await call(
            self.auth.app,
            method,
            path if path.startswith(("/api/", "/ajax-api/")) else f"{OWN}{path}",
            query=query,
            headers=[(PRINCIPAL_HEADER, principal), ("content-type", "application/json")],
            body=b"" if body is None else msgspec.json.encode(body),
        )

    async def get(self, path: str) -> Any:
        """What a GET answers, which must be granted."""
        reply = await self.ask("GET", path)
        assert reply.status == 200, reply.body
        return msgspec.json.decode(reply.body)

    async def told(self) -> Told:
        """What services are told of them."""
        return await told_of(self.auth.running.database, FIRST_TENANT, self.subject)

    async def rights(self, now: float | None = None) -> Rights:
        """What they may do, or will be able to at another time."""
        told = await self.told()
        return compile_rights(told.access, told.version, ALL_SCOPES, now)


async def join(
    auth: Auth,
    role: str | None,
    *,
    tenant_no: int = FIRST_TENANT,
    kind: str = "person",
    scopes: tuple[str, ...] = ALL_SCOPES,
    login: str = "",
) -> Person:
    """A new member with a role, or none."""
    user_id, secret = uuid4(), new_secret()
    login = login or f"{role or 'nobody'}-{user_id.hex[:8]}"
    async with auth.running.database.transaction(tenant_no) as connection:
        await connection.execute(
            "INSERT INTO users (user_id, login, kind) VALUES ($1, $2, $3)", user_id, login, kind
        )
        await connection.execute(
            "INSERT INTO memberships (tenant_no, user_id, role) VALUES ($1, $2, $3)",
            tenant_no,
            user_id,
            role,
        )
        token = NewToken(uuid4(), digest(secret), "test", user_id, 1, scopes, 1)
        await add_token(connection, tenant_no, token)
    return Person(auth, user_id, login, secret, kind)


async def another_tenant(auth: Auth) -> int:
    """The number of a new tenant."""
    async with auth.running.database.transaction() as connection:
        number: int = await connection.fetchval(
            "INSERT INTO tenants (tenant_id, name) VALUES ($1, $2) RETURNING tenant_no",
            uuid4(),
            f"tenant-{uuid4().hex[:8]}",
        )
    return number


def said(reply: Reply) -> str:
    """Why a request was refused."""
    return str(msgspec.json.decode(reply.body)["detail"])


async def grant(by: Person, to: Person, **body: object) -> dict[str, Any]:
    """A grant that must be made or be there."""
    reply = await by.ask("POST", "/grants", {"subject": to.subject, **body})
    assert reply.status in (200, 201), reply.body
    made: dict[str, Any] = msgspec.json.decode(reply.body)
    return made


async def refused(by: Person, to: Person, **body: object) -> str:
    """Why a grant is refused for lack of rights."""
    reply = await by.ask("POST", "/grants", {"subject": to.subject, **body})
    assert reply.status == 403, reply.body
    return said(reply)


async def revoke(by: Person, grant_id: str) -> int:
    """Take a grant back; the status of the answer."""
    return (await by.ask("DELETE", f"/grants/{grant_id}")).status
