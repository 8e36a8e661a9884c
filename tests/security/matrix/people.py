"""Who asks: owners of two tenants, members with less, and credentials that are good no more."""

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

import msgspec

from libs.common.contracts.plans import FIRST_PLAN
from libs.common.database import Connection
from services.auth.model.secrets import digest, new_secret
from services.auth.store.identity import NewToken, add_member, add_tenant, add_token
from services.gateway.credentials import Presented
from tests.security.matrix.asks import WORKSPACES
from tests.security.matrix.platform import Platform

# The first that is made beside the default one.
ANOTHER_WORKSPACE: Final = 2


@dataclass(frozen=True)
class People:
    """A token of each; all but `foreign` belong to one tenant.

    `elsewhere` is the owner in another workspace, `nobody` a member without any rule, `viewer` and
    `scoped` may less: the last is an owner's token for one permission that no operation takes.
    `stolen` is no token but a principal of the owner's for tracking, as it passes inside.
    """

    owner: str
    viewer: str
    nobody: str
    scoped: str
    elsewhere: str
    expired: str
    revoked: str
    foreign: str
    stolen: str
    tenant_no: int


async def people_of(platform: Platform) -> People:
    """Two tenants with their people, stored as auth's commands store them."""
    async with platform.values["auth"].database.transaction() as connection:
        theirs = await add_tenant(connection, uuid4(), f"theirs-{uuid4().hex[:8]}", FIRST_PLAN)
        foreign = await _token(connection, theirs, await _member(connection, theirs, "owner"))
    async with platform.values["auth"].database.transaction() as connection:
        ours = await add_tenant(connection, uuid4(), f"ours-{uuid4().hex[:8]}", FIRST_PLAN)
        owner = await _member(connection, ours, "owner")
        viewer = await _member(connection, ours, "viewer")
        nobody = await _member(connection, ours, None)
        people = People(
            owner=await _token(connection, ours, owner),
            viewer=await _token(connection, ours, viewer),
            nobody=await _token(connection, ours, nobody),
            scoped=await _token(connection, ours, owner, scopes=("audit.read",)),
            elsewhere=await _token(connection, ours, owner, workspace_id=ANOTHER_WORKSPACE),
            expired=await _token(connection, ours, owner, ended="expires_at"),
            revoked=await _token(connection, ours, owner, ended="revoked_at"),
            foreign=foreign,
            stolen="",
            tenant_no=ours,
        )
    async with platform.values["tracking"].database.transaction(ours) as connection:
        # Ids that another tenant's experiments do not have, and that no other number looks like.
        await connection.execute(
            "INSERT INTO experiment_counters (tenant_no, last_id) VALUES ($1, 70000)", ours
        )
    made = await platform.ask(people.owner, "POST", WORKSPACES, body={"name": "elsewhere"})
    assert msgspec.json.decode(made.body)["workspace"]["name"] == "elsewhere"
    passport = await platform.values["gateway"].state.principals.passport(
        Presented("Bearer", people.owner)
    )
    return replace(people, stolen=passport.principals["tracking"].decode())


async def _member(connection: Connection, tenant_no: int, role: str | None) -> UUID:
    user_id = uuid4()
    await add_member(connection, tenant_no, user_id, f"{role}-{user_id.hex[:8]}", role or "viewer")
    if role is None:
        await connection.execute("UPDATE memberships SET role = NULL WHERE user_id = $1", user_id)
    return user_id


async def _token(
    connection: Connection,
    tenant_no: int,
    user_id: UUID,
    *,
    scopes: tuple[str, ...] = ("*",),
    workspace_id: int = 1,
    ended: str = "",
) -> str:
    secret, token_id = new_secret(), uuid4()
    await add_token(
        connection,
        tenant_no,
        NewToken(
            token_id=token_id,
            digest=digest(secret),
            name="matrix",
            user_id=user_id,
            workspace_id=workspace_id,
            scopes=scopes,
            expires_in_days=30,
        ),
    )
    if ended:
        await connection.execute(
            f"UPDATE tokens SET {ended} = now() - interval '1 minute' WHERE token_id = $1",
            token_id,
        )
    return secret
