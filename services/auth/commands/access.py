"""A member's access has changed: its version rises, the whole of it is told, and it is numbered."""

from collections.abc import Iterable
from uuid import UUID

from libs.common.access.rights import NO_RIGHTS, Rights, compile_rights
from libs.common.contracts.auth import AccessChanged
from libs.common.errors import denied
from libs.common.events.outbox import UnitOfWork
from libs.common.principal import Principal
from services.auth.model.credential import user_id_of
from services.auth.model.members import Member
from services.auth.queries.access import access_of, accesses_of
from services.auth.store.access import raise_versions
from services.auth.store.members import active_owners
from services.auth.store.revocations import note_revocation
from services.auth.store.tenants import lock_tenant


async def access_changed(work: UnitOfWork, user_ids: Iterable[UUID]) -> None:
    """Raise the access version of members whose role, grants, roles or status has changed.

    Call it last in the unit of work that changed them, so that what is told is what commits.
    """
    tenant_no, changed = work.acting.tenant_no, sorted(set(user_ids))
    await raise_versions(work.connection, tenant_no, changed)
    for told in (await accesses_of(work.connection, tenant_no, changed)).values():
        work.record(AccessChanged(version=told.version, access=told.access))
        await note_revocation(
            work.connection,
            tenant_no,
            "subject",
            told.access.subject,
            told.version,
            active=told.access.status == "active",
        )


async def rights_to_change(work: UnitOfWork, principal: Principal) -> Rights:
    """What the caller holds now, while nobody else changes access in the tenant until COMMIT.

    Read anew: what was known when the request came may have been taken away by one before it.
    """
    await lock_tenant(work.connection, principal.tenant_no)
    user_id = user_id_of(principal.subject)
    if user_id is None:
        return NO_RIGHTS
    told = await access_of(work.connection, principal.tenant_no, user_id)
    if told is None:
        return NO_RIGHTS
    return compile_rights(told.access, told.version, principal.scopes)


async def insist_owner_stays(work: UnitOfWork, found: Member) -> None:
    """Refuse to take from the last active owner what makes it one."""
    if await active_owners(work.connection, work.acting.tenant_no) == [found.user_id]:
        raise denied(
            f"{found.login} is the last active owner of the tenant, and one must stay. Make"
            " another member owner first."
        )
