"""Roles are defined, changed and deleted, and given to members.

The functions ending in `…ing` do it in a unit of work of the caller's; a dry run undoes theirs.
"""

from collections.abc import Sequence
from dataclasses import replace

from libs.common.access.rights import Rights
from libs.common.contracts.auth import RoleChanged, RoleDefined, RoleDeleted, UserChanged
from libs.common.database import Connection
from libs.common.errors import Refusal, denied, exists
from libs.common.events.outbox import Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.access import access_changed, insist_owner_stays, rights_to_change
from services.auth.commands.facts import role_state, user_state
from services.auth.model.grants import WHOLE_TENANT, insist_held, insist_known
from services.auth.model.members import OWNER, Member
from services.auth.model.roles import Role, in_use, insist_not_built_in
from services.auth.queries.grants import denials_of
from services.auth.queries.members import find_member
from services.auth.queries.roles import role_called, role_given, who_has_role
from services.auth.store import access as store


async def define_role(
    running: Recording,
    principal: Principal,
    name: str,
    description: str,
    permissions: Sequence[str],
) -> Role:
    """A new role of permissions that the caller holds on the whole tenant."""
    insist_not_built_in(name)
    known = insist_known(permissions)
    async with unit_of_work(running, principal) as work:
        rights = await rights_to_change(work, principal)
        insist_held(rights, known, WHOLE_TENANT)
        version = await store.define_role(
            work.connection, principal.tenant_no, name, description, known
        )
        if version is None:
            raise exists(f"name: there is a role {name!r} already; PUT changes it.")
        role = Role(name, description, known, version)
        work.record(RoleDefined(version=version, role=role_state(role)))
    return role


async def change_role(
    running: Recording,
    principal: Principal,
    name: str,
    description: str,
    permissions: Sequence[str],
) -> Role:
    """Other permissions for a role; whoever has it has them at once."""
    async with unit_of_work(running, principal) as work:
        return await changing_role(work, principal, name, description, permissions)


async def changing_role(
    work: UnitOfWork, principal: Principal, name: str, description: str, permissions: Sequence[str]
) -> Role:
    """As `change_role`, in a unit of work of the caller's."""
    insist_not_built_in(name)
    known = insist_known(permissions)
    rights = await rights_to_change(work, principal)
    old = await role_called(work.connection, principal.tenant_no, name)
    # What it held counts too: a role may be denied to somebody, and taking from it lifts that.
    insist_held(rights, {*known, *old.permissions}, WHOLE_TENANT)
    if (old.description, old.permissions) == (description, known):
        work.silent("it is so already")
        return old
    version = await store.change_role(
        work.connection, principal.tenant_no, name, description, known
    )
    role = Role(name, description, known, version)
    work.record(RoleChanged(version=version, role=role_state(role)))
    if old.permissions != known:
        members, grantees = await who_has_role(work.connection, principal.tenant_no, name)
        await access_changed(work, [*members, *grantees])
    return role


async def delete_role(running: Recording, principal: Principal, name: str) -> None:
    """Remove a role that nobody has."""
    insist_not_built_in(name)
    async with unit_of_work(running, principal) as work:
        await rights_to_change(work, principal)
        role = await role_called(work.connection, principal.tenant_no, name)
        members, grantees = await who_has_role(work.connection, principal.tenant_no, name)
        if members or grantees:
            raise in_use(name, list(members.values()), list(grantees.values()))
        version = await store.delete_role(work.connection, principal.tenant_no, name)
        work.record(RoleDeleted(version=version, role=role_state(role)))


async def give_role(
    running: Recording, principal: Principal, named: str, role: str | None
) -> Member:
    """Give a member another role, or none; nobody gives or takes more than they hold."""
    async with unit_of_work(running, principal) as work:
        return await giving_role(work, principal, named, role)


async def giving_role(
    work: UnitOfWork, principal: Principal, named: str, role: str | None
) -> Member:
    """As `give_role`, in a unit of work of the caller's."""
    rights = await rights_to_change(work, principal)
    member = await find_member(work.connection, principal.tenant_no, named)
    if member.role == role:
        work.silent("it is so already")
        return member
    for each in (member.role, role):
        if each is not None:
            await insist_holds_role(work.connection, principal.tenant_no, rights, each)
    await insist_owner_stays(work, member)
    if role == OWNER:
        await _insist_undenied(work, principal.tenant_no, member)
    version = await store.give_role(work.connection, principal.tenant_no, member.user_id, role)
    changed = replace(member, role=role, version=version)
    work.record(UserChanged(version=version, user=user_state(changed)))
    await access_changed(work, [member.user_id])
    return changed


async def insist_holds_role(
    connection: Connection, tenant_no: int, rights: Rights, name: str
) -> None:
    """Refuse to give or take a role that holds more than the caller does."""
    if name == OWNER and not rights.holds("tenant.manage"):
        raise denied(
            "Making or unmaking an owner takes the permission tenant.manage. Ask an owner."
        )
    role = await role_given(connection, tenant_no, name)
    insist_held(rights, role.permissions, WHOLE_TENANT)


async def _insist_undenied(work: UnitOfWork, tenant_no: int, member: Member) -> None:
    """Owners are denied nothing, so that one of them can always act."""
    denials = await denials_of(work.connection, tenant_no, member.user_id)
    if denials:
        listed = ", ".join(str(grant_id) for grant_id in denials[:5])
        raise Refusal(
            "RESOURCE_CONFLICT",
            f"{member.login!r} is denied things, and an owner is denied nothing; revoke the grants"
            f" {listed} first.",
        )
