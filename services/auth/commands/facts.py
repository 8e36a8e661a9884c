"""The facts of auth, made from what was stored."""

from libs.common.contracts.auth import Invitation, Tenant, Token, User
from services.auth.model.credential import subject_of
from services.auth.model.invitations import Invited
from services.auth.model.members import Member
from services.auth.model.members import Tenant as StoredTenant
from services.auth.store.identity import StoredToken


def token_state(stored: StoredToken) -> Token:
    """A token as facts carry it: no secret, no digest."""
    expires_at = stored.expires_at
    return Token(
        token_id=str(stored.token_id),
        name=stored.name,
        subject=subject_of(stored.user_id, stored.user_kind),
        expires_at=None if expires_at is None else int(expires_at.timestamp() * 1000),
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
