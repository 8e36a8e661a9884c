"""Members are invited, and invitations taken back."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from libs.common.contracts.auth import AccessRule, InvitationMade, InvitationRevoked
from libs.common.database import Connection
from libs.common.errors import exists, invalid
from libs.common.events.outbox import Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.access import rights_to_change
from services.auth.commands.facts import invitation_state
from services.auth.commands.tokens import insist_no_session
from services.auth.model.holding import insist_holds
from services.auth.model.invitations import MOST_TRIES, Invited, conflict, no_invitation
from services.auth.model.members import Tenant, insist_room
from services.auth.model.secrets import INVITATION_PREFIX, digest, new_secret
from services.auth.queries.access import permissions_of
from services.auth.queries.invitations import invitation, open_invitation_of, tries_of
from services.auth.queries.members import places_taken, status_of_login
from services.auth.store.invitations import NewInvitation, add_invitation, mark_revoked
from services.auth.store.tenants import lock_tenant


@dataclass(frozen=True, slots=True)
class MadeInvitation:
    """A new invitation and its code, which is known only now."""

    invited: Invited
    code: str


async def make_invitation(
    running: Recording, caller: Principal, login: str, role: str | None, days: int
) -> MadeInvitation:
    """Invite somebody to the caller's tenant, with a role that holds no more than the caller."""
    login = login.lower()
    async with unit_of_work(running, caller) as work:
        await insist_no_session(work.connection, caller)
        rights = await rights_to_change(work, caller)
        tenant = await lock_tenant(work.connection, caller.tenant_no)
        rules = await rules_of_role(work.connection, caller.tenant_no, role)
        insist_holds(rights, rules, f"invite a member as {role}")
        await _insist_invitable(work.connection, tenant, login)
        return await invite(work, login, role, days)


async def revoke_invitation(running: Recording, caller: Principal, invitation_id: UUID) -> None:
    """Take an invitation back; doing it twice is no error, but an accepted one is past that."""
    async with unit_of_work(running, caller) as work:
        rights = await rights_to_change(work, caller)
        invited = await invitation(work.connection, caller.tenant_no, invitation_id)
        if invited is None:
            raise no_invitation(invitation_id)
        if invited.status == "accepted":
            raise conflict(f"It was accepted: remove the member {invited.login} instead.")
        rules = await rules_of_role(work.connection, caller.tenant_no, invited.role, known=False)
        insist_holds(rights, rules, f"take the invitation of {invited.login} back")
        if invited.status == "revoked":
            work.silent("it had been taken back before")
            return
        version = await mark_revoked(work.connection, caller.tenant_no, invitation_id)
        work.record(InvitationRevoked(version=version, invitation=invitation_state(invited)))


async def invite(work: UnitOfWork, login: str, role: str | None, days: int) -> MadeInvitation:
    """Store an invitation in a unit of work whose maker may make it, and tell of it."""
    code, tenant_no = new_secret(INVITATION_PREFIX), work.acting.tenant_no
    new = NewInvitation(uuid4(), digest(code), login, role, work.acting.subject, days)
    await add_invitation(work.connection, tenant_no, new)
    invited = await invitation(work.connection, tenant_no, new.invitation_id)
    assert invited is not None
    work.record(InvitationMade(version=invited.version, invitation=invitation_state(invited)))
    return MadeInvitation(invited, code)


async def rules_of_role(
    connection: Connection, tenant_no: int, role: str | None, *, known: bool = True
) -> list[AccessRule]:
    """What a role allows, as rules; a refusal where it must be `known` and there is none."""
    if role is None:
        return []
    found = await permissions_of(connection, tenant_no, [role])
    if role not in found:
        if known:
            raise invalid(
                f"role: there is no role {role!r} here; GET /api/maestro/v1/roles lists them."
            )
        return []
    return [AccessRule(rule_id=f"role:{role}", effect="allow", permissions=found[role])]


async def _insist_invitable(connection: Connection, tenant: Tenant, login: str) -> None:
    status = await status_of_login(connection, tenant.tenant_no, login)
    if status is not None:
        raise exists(f"login: {login} is a member already ({status}).")
    still_open = await open_invitation_of(connection, tenant.tenant_no, login)
    if still_open is not None:
        raise exists(
            f"login: {login} is invited already; to make another invitation, take that one back"
            f" first: DELETE /api/maestro/v1/invitations/{still_open}"
        )
    if await tries_of(connection, tenant.tenant_no, login) >= MOST_TRIES:
        raise conflict(f"Too many passwords were tried for {login}; invite again tomorrow.")
    insist_room(tenant, sum(await places_taken(connection, tenant.tenant_no)))
