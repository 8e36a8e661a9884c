"""Roles: built in and of the tenant, and which one a member has."""

from fastapi import APIRouter

from libs.common.access.permissions import PERMISSIONS
from libs.common.http.own import Caller, Here, guarded
from services.auth.commands import roles as commands
from services.auth.model.roles import Role
from services.auth.queries.roles import role_called, roles_of
from services.auth.schemas.access import (
    GivenRoleBody,
    MemberRoleBody,
    NewRoleBody,
    PermissionBody,
    PermissionListBody,
    RoleBody,
    RoleChangeBody,
    RoleListBody,
)

router = APIRouter(prefix="/api/maestro/v1", tags=["roles"])


@router.get("/permissions", **guarded("token.own"))
async def list_permissions() -> PermissionListBody:
    """All permissions there are, with the kind of resource each is about."""
    return PermissionListBody(
        permissions=[
            PermissionBody(name=each.name, kind=each.kind, does=each.does)
            for each in PERMISSIONS.values()
        ]
    )


@router.get("/roles", **guarded("member.read"))
async def list_roles(caller: Caller, running: Here) -> RoleListBody:
    """The built-in roles and those of the tenant, each with its permissions."""
    async with running.database.reading(caller.tenant_no) as connection:
        found = await roles_of(connection, caller.tenant_no)
    return RoleListBody(roles=[_shown(role) for role in found])


@router.post("/roles", status_code=201, **guarded("role.manage"))
async def define_role(body: NewRoleBody, caller: Caller, running: Here) -> RoleBody:
    """Define a role of permissions that you hold yourself on the whole tenant."""
    role = await commands.define_role(
        running, caller, body.name, body.description, body.permissions
    )
    return _shown(role)


@router.get("/roles/{name}", **guarded("member.read"))
async def get_role(name: str, caller: Caller, running: Here) -> RoleBody:
    """One role."""
    async with running.database.reading(caller.tenant_no) as connection:
        return _shown(await role_called(connection, caller.tenant_no, name))


@router.put("/roles/{name}", **guarded("role.manage"))
async def change_role(name: str, body: RoleChangeBody, caller: Caller, running: Here) -> RoleBody:
    """Change a role; whoever has it has its permissions at once."""
    role = await commands.change_role(running, caller, name, body.description, body.permissions)
    return _shown(role)


@router.delete("/roles/{name}", status_code=204, **guarded("role.manage"))
async def delete_role(name: str, caller: Caller, running: Here) -> None:
    """Delete a role that no member has and no grant names."""
    await commands.delete_role(running, caller, name)


@router.put("/members/{user}/role", **guarded("member.manage"))
async def give_role(
    user: str, body: GivenRoleBody, caller: Caller, running: Here
) -> MemberRoleBody:
    """Give a member another role, or none; nobody gives or takes more than they hold."""
    member = await commands.give_role(running, caller, user, body.role)
    return MemberRoleBody(subject=member.subject, login=member.login, role=member.role)


def _shown(role: Role) -> RoleBody:
    return RoleBody(
        name=role.name,
        description=role.description,
        permissions=list(role.permissions),
        built_in=role.built_in,
        version=role.version,
    )
