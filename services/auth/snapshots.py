"""How what auth owns is told again on request."""

from typing import Final

from asyncpg import Record

from libs.common.contracts.auth import (
    GRANTS,
    INVITATIONS,
    ROLES,
    TENANTS,
    TOKENS,
    USERS,
    WORKSPACES,
    GrantSnapshot,
    Invitation,
    InvitationSnapshot,
    Role,
    RoleSnapshot,
    Tenant,
    TenantSnapshot,
    Token,
    TokenSnapshot,
    User,
    UserSnapshot,
    Workspace,
    WorkspaceSnapshot,
)
from libs.common.service import Snapshot
from services.auth.commands.facts import grant_state
from services.auth.model.credential import subject_of
from services.auth.queries.credentials import LIVING_TOKENS, MEMBERS, OWN_TENANT
from services.auth.queries.grants import LIVING, stored_grant
from services.auth.queries.invitations import OPEN_INVITATIONS
from services.auth.queries.roles import DEFINED
from services.auth.queries.workspaces import LIVING_WORKSPACES


def _tenant(row: Record) -> TenantSnapshot:
    tenant = Tenant(
        tenant=row["id"],
        tenant_no=row["tenant_no"],
        name=row["name"],
        status=row["status"],
        plan=row["plan"],
    )
    return TenantSnapshot(version=row["version"], tenant=tenant)


def _user(row: Record) -> UserSnapshot:
    user = User(
        user_id=row["id"],
        login=row["login"],
        role=row["role"],
        status=row["status"],
        kind=row["kind"],
        display_name=row["display_name"],
    )
    return UserSnapshot(version=row["version"], user=user)


def _invitation(row: Record) -> InvitationSnapshot:
    invited = Invitation(
        invitation_id=row["id"],
        login=row["login"],
        role=row["role"],
        made_by=row["made_by"],
        expires_at=row["expires_at"],
    )
    return InvitationSnapshot(version=row["version"], invitation=invited)


def _token(row: Record) -> TokenSnapshot:
    token = Token(
        token_id=row["id"],
        name=row["name"],
        subject=subject_of(row["user_id"], row["user_kind"]),
        expires_at=row["expires_at"],
        scopes=list(row["scopes"]),
        networks=list(row["networks"]),
        rotated_from=row["rotated_from"],
        kind=row["kind"],
    )
    return TokenSnapshot(version=row["version"], token=token)


def _role(row: Record) -> RoleSnapshot:
    role = Role(
        name=row["name"], permissions=list(row["permissions"]), description=row["description"]
    )
    return RoleSnapshot(version=row["version"], role=role)


def _grant(row: Record) -> GrantSnapshot:
    return GrantSnapshot(version=row["version"], grant=grant_state(stored_grant(row)))


def _workspace(row: Record) -> WorkspaceSnapshot:
    workspace = Workspace(
        workspace_id=row["workspace_id"],
        name=row["name"],
        status=row["status"],
        description=row["description"] or "",
    )
    return WorkspaceSnapshot(version=row["version"], workspace=workspace)


SNAPSHOTS: Final = (
    Snapshot(TENANTS, OWN_TENANT, _tenant),
    Snapshot(USERS, MEMBERS, _user),
    Snapshot(INVITATIONS, OPEN_INVITATIONS, _invitation),
    Snapshot(TOKENS, LIVING_TOKENS, _token),
    Snapshot(ROLES, DEFINED, _role),
    Snapshot(GRANTS, LIVING, _grant),
    Snapshot(WORKSPACES, LIVING_WORKSPACES, _workspace),
)
