"""The facts of auth, made from what was stored."""

from libs.common.contracts.auth import Grant, Invitation, Role, Tenant, Token, User
from libs.common.contracts.auth import Workspace as WorkspaceState
from services.auth.model import roles
from services.auth.model.credential import subject_of
from services.auth.model.grants import StoredGrant, milliseconds
from services.auth.model.invitations import Invited
from services.auth.model.members import Member
from services.auth.model.members import Tenant as StoredTenant
from services.auth.model.workspaces import Workspace
from services.auth.store.identity import StoredToken


def token_state(stored: StoredToken) -> Token:
    """A token as facts carry it: no secret, no digest."""
    return Token(
        token_id=str(stored.token_id),
        name=stored.name,
        subject=subject_of(stored.user_id, stored.user_kind),
        expires_at=int(stored.expires_at.timestamp() * 1000),
        scopes=list(stored.scopes),
        networks=list(stored.networks),
        rotated_from=None if stored.rotated_from is None else str(stored.rotated_from),
        kind=stored.kind,
    )


def role_state(role: roles.Role) -> Role:
    """A role as facts carry it."""
    return Role(name=role.name, permissions=list(role.permissions), description=role.description)


def grant_state(grant: StoredGrant) -> Grant:
    """A grant as facts carry it."""
    return Grant(
        grant_id=str(grant.grant_id),
        subject=subject_of(grant.user_id, grant.user_kind),
        effect=grant.effect,
        kind=grant.kind,
        role=grant.role,
        permissions=list(grant.permissions),
        workspace_id=grant.workspace_id,
        pattern=grant.pattern,
        expires_at=milliseconds(grant.expires_at),
        reason=grant.reason,
        granted_by=grant.granted_by,
    )


def workspace_state(workspace: Workspace) -> WorkspaceState:
    """A workspace as facts carry it."""
    return WorkspaceState(
        workspace_id=workspace.workspace_id,
        name=workspace.name,
        status=workspace.status,
        description=workspace.description or "",
    )


def tenant_state(stored: StoredTenant) -> Tenant:
    """A tenant as facts carry it."""
    return Tenant(
        tenant=str(stored.tenant_id),
        tenant_no=stored.tenant_no,
        name=stored.name,
        status=stored.status,
        plan=stored.plan,
    )


def user_state(member: Member) -> User:
    """A member as facts carry it."""
    return User(
        user_id=str(member.user_id),
        login=member.login,
        role=member.role or "",
        status=member.status,
        kind=member.kind,
        display_name=member.display_name,
    )


def invitation_state(invited: Invited) -> Invitation:
    """An invitation as facts carry it: never the code it is accepted with."""
    return Invitation(
        invitation_id=str(invited.invitation_id),
        login=invited.login,
        role=invited.role or "",
        made_by=invited.made_by,
        expires_at=int(invited.expires_at.timestamp() * 1000),
    )
