"""More tenants and members for a test, put where no request puts them yet."""

from uuid import UUID, uuid4

import asyncpg
import msgspec

from services.auth.model.secrets import digest, new_secret
from tests.service.auth.installation import Auth

PASSWORD = "/api/maestro/v1/password"
TOKENS = "/api/maestro/v1/tokens"


async def as_owner(auth: Auth, tenant_no: int, statement: str, *args: object) -> object:
    """One statement in a tenant, as the owner of the tables; its first value."""
    connection = await asyncpg.connect(auth.environment["MAESTRO_POSTGRES_URL"])
    try:
        await connection.execute("SET ROLE auth_owner; SET search_path = auth")
        await connection.execute("SELECT set_config('app.tenant', $1, false)", str(tenant_no))
        return await connection.fetchval(statement, *args)
    finally:
        await connection.close()


async def add_tenant(auth: Auth, name: str) -> int:
    """Another tenant; its number."""
    statement = "INSERT INTO tenants (tenant_id, name) VALUES ($1, $2) RETURNING tenant_no"
    number = await as_owner(auth, 0, statement, uuid4(), name)
    assert isinstance(number, int)
    return number


async def add_person(auth: Auth, login: str) -> UUID:
    """Somebody who is no member of anything yet."""
    user_id = uuid4()
    await as_owner(auth, 0, "INSERT INTO users (user_id, login) VALUES ($1, $2)", user_id, login)
    return user_id


async def join(auth: Auth, tenant_no: int, user_id: UUID, role: str = "owner") -> None:
    """Make somebody a member."""
    statement = "INSERT INTO memberships (tenant_no, user_id, role) VALUES ($1, $2, $3)"
    await as_owner(auth, tenant_no, statement, tenant_no, user_id, role)


async def token_for(auth: Auth, tenant_no: int, user_id: UUID) -> str:
    """A token of a member, as if it had been made for them."""
    token_id, secret = uuid4(), new_secret()
    await as_owner(
        auth,
        tenant_no,
        "INSERT INTO tokens (tenant_no, token_id, user_id, name, scopes, expires_at)"
        " VALUES ($1, $2, $3, 'made', '{*}', now() + interval '1 day')",
        tenant_no,
        token_id,
        user_id,
    )
    statement = "INSERT INTO credentials (digest, tenant_no, token_id) VALUES ($1, $2, $3)"
    await as_owner(auth, tenant_no, statement, digest(secret), tenant_no, token_id)
    return secret


async def member(auth: Auth, login: str, role: str = "owner") -> tuple[UUID, str]:
    """A member of the first tenant, and a token of theirs."""
    user_id = await add_person(auth, login)
    await join(auth, 1, user_id, role)
    return user_id, await token_for(auth, 1, user_id)


async def set_password(auth: Auth, token: str, new: str, old: str | None = None) -> None:
    """Set the password of a token's owner."""
    reply = await auth.ask(token, "PUT", PASSWORD, {"new": new, "old": old})
    assert reply.status == 204, reply.body


async def refusal(auth: Auth, user_name: str, password: str) -> str:
    """Why a user name and password are refused; '' where they are not."""
    reply = await auth.sign_in(user_name, password)
    said = msgspec.json.decode(reply.body)
    assert reply.status == (400 if "error" in said else 200), reply.body
    return str(said.get("error_description", ""))
