"""A member's access has changed: its version rises, the whole of it is told, and it is numbered."""

from collections.abc import Iterable
from uuid import UUID

from libs.common.contracts.auth import AccessChanged
from libs.common.events.outbox import UnitOfWork
from services.auth.queries.access import access_of
from services.auth.store.access import raise_version
from services.auth.store.revocations import note_revocation


async def access_changed(work: UnitOfWork, user_ids: Iterable[UUID]) -> None:
    """Raise the access version of members whose role, grants, roles or status has changed.

    Call it last in the unit of work that changed them, so that what is told is what commits.
    """
    tenant_no = work.acting.tenant_no
    for user_id in sorted(set(user_ids)):
        await raise_version(work.connection, tenant_no, user_id)
        told = await access_of(work.connection, tenant_no, user_id)
        if told is not None:
            work.record(AccessChanged(version=told.version, access=told.access))
            await note_revocation(
                work.connection, tenant_no, "subject", told.access.subject, told.version
            )
