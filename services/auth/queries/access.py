"""What members may do, as it stands: their role and their grants, flattened into rules."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.access.authority import Told
from libs.common.access.permissions import Kind
from libs.common.access.roles import ROLES
from libs.common.contracts.auth import Access, AccessRule
from libs.common.database import Connection, Database
from libs.common.principal import Principal
from libs.common.service import Running
from services.auth.model.credential import subject_of, user_id_of
from services.auth.model.grants import KINDS, applicable

_MEMBERS: Final = """
SELECT m.user_id, u.kind, m.role, m.access_version,
       CASE WHEN 'suspended' IN (t.status, u.status, m.status) THEN 'suspended' ELSE m.status END
       AS status
FROM memberships m
JOIN tenants t ON t.tenant_no = m.tenant_no
JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.user_id = ANY($2)
"""
_GRANTS: Final = """
SELECT user_id, grant_id, effect, role, permissions, kind, workspace_id, pattern,
       (extract(epoch FROM expires_at) * 1000)::int8 AS expires_at
FROM grants
WHERE tenant_no = $1 AND user_id = ANY($2) AND (expires_at IS NULL OR expires_at > now())
  AND ($3::int4 IS NULL OR kind = 'tenant' OR (workspace_id = $3 AND (
       pattern IN ('*', $4) OR (right(pattern, 1) = '*' AND starts_with($4, left(pattern, -1))))))
ORDER BY created_at, grant_id
"""
_CUSTOM: Final = """
SELECT name, permissions FROM roles
WHERE tenant_no = $1 AND name = ANY($2) AND deleted_at IS NULL
"""


# A workspace and the name of an experiment or model in it; '' for the workspace as a whole.
Resource = tuple[int, str]


async def access_of(connection: Connection, tenant_no: int, user_id: UUID) -> Told | None:
    """What a member may do and the version of that; None for who never was a member."""
    return (await accesses_of(connection, tenant_no, [user_id])).get(user_id)


async def accesses_of(
    connection: Connection,
    tenant_no: int,
    user_ids: Sequence[UUID],
    on: Resource | None = None,
) -> dict[UUID, Told]:
    """What members may do, in the order of `user_ids`; who never was a member is left out.

    With `on`, rules about other resources are left out: one question needs few of very many.
    """
    members = await connection.fetch(_MEMBERS, tenant_no, user_ids)
    workspace_id, name = on or (None, "")
    grants = await connection.fetch(_GRANTS, tenant_no, user_ids, workspace_id, name)
    named = {row["role"] for row in [*members, *grants] if row["role"] is not None}
    roles = await permissions_of(connection, tenant_no, sorted(named))
    fitting = {
        (name, kind): applicable(held, kind) for name, held in roles.items() for kind in KINDS
    }
    rules: dict[UUID, list[AccessRule]] = {
        row["user_id"]: [_of_role(row["role"], roles)] if row["role"] in roles else []
        for row in members
    }
    for row in grants:
        rules[row["user_id"]].append(_of_grant(row, fitting))
    known = {row["user_id"]: row for row in members}
    return {
        user_id: _told(known[user_id], rules[user_id]) for user_id in user_ids if user_id in known
    }


async def told_of(database: Database, tenant_no: int, subject: str) -> Told:
    """What a subject may do; for who is no member, that it may do nothing."""
    user_id = user_id_of(subject)
    if user_id is not None:
        async with database.reading(tenant_no) as connection:
            told = await access_of(connection, tenant_no, user_id)
        if told is not None and told.access.subject == subject:
            return told
    return Told(version=0, access=Access(subject=subject, status="removed"))


def asks_itself(running: Running) -> Callable[[Principal], Awaitable[Told]]:
    """How auth itself learns what a caller may do: from its own tables."""

    async def ask(principal: Principal) -> Told:
        return await told_of(running.database, principal.tenant_no, principal.subject)

    return ask


async def permissions_of(
    connection: Connection, tenant_no: int, names: Sequence[str]
) -> dict[str, list[str]]:
    """The permissions of each role, built in or of the tenant; unknown names are left out."""
    found = {name: sorted(ROLES[name]) for name in names if name in ROLES}
    custom = [name for name in names if name not in ROLES]
    if custom:
        rows = await connection.fetch(_CUSTOM, tenant_no, custom)
        found |= {row["name"]: list(row["permissions"]) for row in rows}
    return found


def _told(member: Record, rules: list[AccessRule]) -> Told:
    subject = subject_of(member["user_id"], member["kind"])
    return Told(
        version=member["access_version"],
        access=Access(subject=subject, status=member["status"], rules=rules),
    )


def _of_role(role: str, roles: Mapping[str, list[str]]) -> AccessRule:
    return AccessRule(
        rule_id=f"role:{role}", effect="allow", permissions=roles[role], because=f"role {role}"
    )


def _of_grant(row: Record, fitting: Mapping[tuple[str, Kind], list[str]]) -> AccessRule:
    role, kind = row["role"], row["kind"]
    what = "grant" if row["effect"] == "allow" else "deny"
    return AccessRule(
        rule_id=f"grant:{row['grant_id']}",
        effect=row["effect"],
        permissions=(
            applicable(row["permissions"], kind) if role is None else fitting.get((role, kind), [])
        ),
        kind=kind,
        workspace_id=row["workspace_id"],
        pattern=row["pattern"],
        expires_at=row["expires_at"],
        because=f"{what} of role {role}" if role is not None else what,
    )
