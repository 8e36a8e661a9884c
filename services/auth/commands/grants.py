"""Something is allowed or denied to a member on some resources, and taken back."""

from datetime import UTC, datetime
from uuid import UUID

from libs.common.access.permissions import Kind
from libs.common.contracts.auth import GrantGranted, GrantRevoked
from libs.common.errors import Refusal, invalid
from libs.common.events.outbox import Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.access import access_changed, rights_to_change
from services.auth.commands.facts import grant_state
from services.auth.model.grants import (
    NewGrant,
    StoredGrant,
    applicable,
    insist_held,
    insist_manages,
    manages,
)
from services.auth.model.members import OWNER
from services.auth.queries.grants import grant_by_id, grant_like, no_grant
from services.auth.queries.members import find_member
from services.auth.queries.roles import role_given
from services.auth.store import access as store


async def grant(
    running: Recording, principal: Principal, new: NewGrant
) -> tuple[StoredGrant, bool]:
    """Make a grant, and whether it is new; the same again is the one that is there.

    An end that is later than its own is then its end; no grant is shortened so.
    """
    async with unit_of_work(running, principal) as work:
        return await granting(work, principal, new)


async def granting(
    work: UnitOfWork, principal: Principal, new: NewGrant
) -> tuple[StoredGrant, bool]:
    """As `grant`, in a unit of work of the caller's, which a dry run undoes."""
    connection, tenant_no = work.connection, principal.tenant_no
    _insist_sound(new)
    rights = await rights_to_change(work, principal)
    insist_manages(rights, new.effect, new.target, new.expires_at)
    permissions = await _meant(work, tenant_no, new.role, new.permissions, new.target.kind)
    if new.effect == "allow":
        insist_held(rights, permissions, new.target, new.expires_at)
    member = await find_member(connection, tenant_no, new.subject)
    if new.effect == "deny" and member.role == OWNER:
        raise Refusal(
            "RESOURCE_CONFLICT",
            f"subject: {member.login!r} is an owner, who is denied nothing; give them another role"
            " first.",
        )
    known = await grant_like(connection, tenant_no, member.user_id, new)
    if known is not None and not _ends_before(known.expires_at, new.expires_at):
        work.silent("it is granted already")
        return known, False
    if known is None:
        grant_id = await store.add_grant(
            connection, tenant_no, member.user_id, new, principal.subject
        )
    else:
        grant_id = known.grant_id
        await store.prolong_grant(
            connection, tenant_no, grant_id, new.expires_at, new.reason, principal.subject
        )
    granted = await grant_by_id(connection, tenant_no, grant_id)
    work.record(GrantGranted(version=granted.version, grant=grant_state(granted)))
    await access_changed(work, [member.user_id])
    return granted, known is None


async def revoke(running: Recording, principal: Principal, grant_id: UUID) -> None:
    """Take a grant back; lifting a denial takes holding what it denies."""
    async with unit_of_work(running, principal) as work:
        await revoking(work, principal, grant_id)


async def revoking(work: UnitOfWork, principal: Principal, grant_id: UUID) -> None:
    """As `revoke`, in a unit of work of the caller's."""
    rights = await rights_to_change(work, principal)
    known = await grant_by_id(work.connection, principal.tenant_no, grant_id)
    if not manages(rights, known.target):
        raise no_grant(grant_id)
    insist_manages(rights, known.effect, known.target)
    if known.effect == "deny":
        permissions = await _meant(
            work, principal.tenant_no, known.role, known.permissions, known.kind
        )
        insist_held(rights, permissions, known.target, known.expires_at)
    await store.remove_grant(work.connection, principal.tenant_no, grant_id)
    work.record(GrantRevoked(version=known.version + 1, grant=grant_state(known)))
    await access_changed(work, [known.user_id])


def _insist_sound(new: NewGrant) -> None:
    if (new.role is None) == (not new.permissions):
        raise invalid("role, permissions: a grant is of one role or of permissions; name either.")
    if new.expires_at is not None and new.expires_at <= datetime.now(UTC):
        raise invalid("expires_at: that time has passed; name a later one.")
    of = applicable(new.permissions, new.target.kind)
    unfit = [name for name in new.permissions if name not in of]
    if unfit:
        raise invalid(
            f"permissions: {', '.join(unfit)} cannot be granted on a {new.target.kind};"
            " GET /api/maestro/v1/permissions tells what each is about."
        )


async def _meant(
    work: UnitOfWork, tenant_no: int, role: str | None, permissions: tuple[str, ...], kind: Kind
) -> list[str]:
    """The permissions that a grant comes down to."""
    if role is None:
        return list(permissions)
    given = await role_given(work.connection, tenant_no, role)
    meant = applicable(given.permissions, kind)
    if not meant:
        raise invalid(f"role: the role {role!r} holds nothing that is about a {kind}.")
    return meant


def _ends_before(end: datetime | None, asked: datetime | None) -> bool:
    return end is not None and (asked is None or end < asked)
