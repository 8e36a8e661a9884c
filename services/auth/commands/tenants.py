"""The platform's operator makes tenants, changes their plans, suspends them and resumes them."""

from uuid import UUID, uuid4

from libs.common.contracts.auth import (
    InvitationRevoked,
    TenantChanged,
    TenantCreated,
    UserChanged,
)
from libs.common.errors import exists, missing
from libs.common.events.outbox import Caused, Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.facts import invitation_state, tenant_state, user_state
from services.auth.commands.invitations import MadeInvitation, invite
from services.auth.commands.workspaces import begin_workspaces
from services.auth.model.members import OWNER, Tenant, known_plan
from services.auth.queries.invitations import invitation, open_invitation_of
from services.auth.queries.members import member, status_of_login
from services.auth.queries.tenants import tenant_named
from services.auth.store.access import raise_all_versions
from services.auth.store.identity import add_tenant, lock_once
from services.auth.store.invitations import mark_revoked
from services.auth.store.members import rename_accounts
from services.auth.store.revocations import note_revocation
from services.auth.store.tenants import lock_tenant, save_tenant


async def create_tenant(
    running: Recording, operator: Principal, name: str, plan: str, owner: str, days: int
) -> tuple[Tenant, MadeInvitation]:
    """Make a tenant and invite its first owner."""
    known_plan(plan)
    tenant_id = uuid4()
    async with running.database.transaction() as connection:
        await lock_once(connection)
        if await tenant_named(connection, name) is not None:
            raise exists(f"name: there is a tenant {name!r} already.")
        number = await add_tenant(connection, tenant_id, name, plan)
        tenant = await lock_tenant(connection, number)
        work = UnitOfWork(connection, Caused(str(tenant_id), number, operator.subject))
        work.record(TenantCreated(version=tenant.version, tenant=tenant_state(tenant)))
        await begin_workspaces(work)
        made = await invite(work, owner.lower(), OWNER, days)
        await work.flush(running)
    running.wake_relay()
    return tenant, made


async def change_tenant(
    running: Recording,
    operator: Principal,
    name: str,
    *,
    new_name: str | None = None,
    plan: str | None = None,
    status: str | None = None,
) -> Tenant:
    """Rename a tenant, put it on another plan, suspend or resume it; None leaves as it is."""
    known = await find_tenant(running, name)
    if plan is not None:
        known_plan(plan)
    async with unit_of_work(running, _for(known, operator)) as work:
        await lock_once(work.connection)
        before = await lock_tenant(work.connection, known.tenant_no)
        wanted = (new_name or before.name, plan or before.plan, status or before.status)
        if wanted == (before.name, before.plan, before.status):
            work.silent("nothing changes")
            return before
        after = await save_tenant(
            work.connection, known.tenant_no, name=wanted[0], plan=wanted[1], status=wanted[2]
        )
        if after is None:
            raise exists(f"name: there is a tenant {wanted[0]!r} already.")
        work.record(TenantChanged(version=after.version, tenant=tenant_state(after)))
        if after.name != before.name:
            await _rename_accounts(work, before.name, after.name)
        if after.status != before.status:
            # Services keep what a member may do by this version, and their status with it.
            await raise_all_versions(work.connection, after.tenant_no)
        if after.status == "suspended":
            ended = str(after.tenant_id)
            await note_revocation(work.connection, after.tenant_no, "tenant", ended, after.version)
    return after


async def invite_owner(
    running: Recording, operator: Principal, name: str, login: str, days: int
) -> MadeInvitation:
    """Invite an owner of a tenant whose first one never came, or who cannot come back.

    An open invitation of the same login is taken back by it, as its code may be lost.
    """
    known, login = await find_tenant(running, name), login.lower()
    async with unit_of_work(running, _for(known, operator)) as work:
        await lock_tenant(work.connection, known.tenant_no)
        if await status_of_login(work.connection, known.tenant_no, login) is not None:
            raise exists(f"login: {login} is a member already.")
        await _take_back(work, await open_invitation_of(work.connection, known.tenant_no, login))
        return await invite(work, login, OWNER, days)


async def find_tenant(running: Recording, name: str) -> Tenant:
    """The tenant of that name; a refusal where there is none."""
    async with running.database.reading() as connection:
        found = await tenant_named(connection, name)
    if found is None:
        raise missing(f"Tenant {name!r} not found")
    return found


def _for(tenant: Tenant, operator: Principal) -> Caused:
    """The operator's doing is told among the facts of the tenant that it concerns."""
    return Caused(str(tenant.tenant_id), tenant.tenant_no, operator.subject)


async def _take_back(work: UnitOfWork, invitation_id: UUID | None) -> None:
    if invitation_id is None:
        return
    tenant_no = work.acting.tenant_no
    before = await invitation(work.connection, tenant_no, invitation_id)
    assert before is not None, "it was found and is held"
    version = await mark_revoked(work.connection, tenant_no, invitation_id)
    work.record(InvitationRevoked(version=version, invitation=invitation_state(before)))


async def _rename_accounts(work: UnitOfWork, before: str, after: str) -> None:
    tenant_no = work.acting.tenant_no
    for user_id in await rename_accounts(work.connection, tenant_no, before, after):
        renamed = await member(work.connection, tenant_no, user_id)
        work.record(UserChanged(version=renamed.version, user=user_state(renamed)))
