"""Workspaces: made, described and deleted."""

import asyncio
import time
from typing import Final

from libs.common.access.guard import not_allowed
from libs.common.contracts.auth import WorkspaceChanged, WorkspaceCreated, WorkspaceDeleted
from libs.common.errors import exists
from libs.common.events.outbox import Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from libs.common.workspaces import DEFAULT_ID, DEFAULT_NAME, no_workspace
from services.auth.commands.contents import OWNERS, contents_of
from services.auth.commands.facts import workspace_state
from services.auth.keys import KeyRing
from services.auth.model import workspaces as rules
from services.auth.model.workspaces import Workspace
from services.auth.queries.workspaces import (
    active_workspace,
    active_workspaces,
    is_cleared,
    workspaces_held,
)
from services.auth.store import workspaces as store
from services.auth.store.revocations import note_revocation
from services.auth.store.tenants import lock_tenant

# How long a deletion waits for what it set going, so that it is seldom seen under way.
CLEARED_WITHIN_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1


async def entered_workspaces(running: Running, principal: Principal) -> list[Workspace]:
    """The workspaces that the caller may enter, by name."""
    async with running.database.reading(principal.tenant_no) as connection:
        found = await active_workspaces(connection, principal.tenant_no)
    if not any(one.workspace_id == DEFAULT_ID for one in found):
        first = await first_workspace(running, principal)
        found = sorted([*found, first], key=lambda one: one.name)
    return [one for one in found if principal.rights.enters(one.workspace_id)]


async def first_workspace(running: Running, principal: Principal) -> Workspace:
    """The tenant's `default` workspace, made where it has none yet."""
    async with unit_of_work(running, principal) as work:
        work.silent("somebody else has made it just now")
        await begin_workspaces(work)
        found = await active_workspace(work.connection, principal.tenant_no, DEFAULT_NAME)
    assert found is not None
    return found


async def begin_workspaces(work: UnitOfWork) -> None:
    """Make a tenant's `default` workspace, unless it is there."""
    made = await store.add_default_workspace(work.connection, work.acting.tenant_no)
    if made is not None:
        work.record(WorkspaceCreated(version=made.version, workspace=workspace_state(made)))


async def create_workspace(
    running: Recording, principal: Principal, name: str, description: str | None
) -> Workspace:
    """A new workspace, empty."""
    rules.check_new_name(name)
    rules.check_description(description)
    async with unit_of_work(running, principal) as work:
        tenant = await lock_tenant(work.connection, principal.tenant_no)
        rules.insist_room(tenant, await workspaces_held(work.connection, principal.tenant_no))
        made = await store.add_workspace(work.connection, principal.tenant_no, name, description)
        if made is None:
            raise exists(f"Workspace '{name}' already exists.")
        work.record(WorkspaceCreated(version=made.version, workspace=workspace_state(made)))
    return made


async def describe_workspace(
    running: Running, principal: Principal, name: str, description: str | None
) -> Workspace:
    """Give a workspace another description, None to leave the one it has."""
    rules.check_description(description)
    found = await managed(running, principal, name)
    if description is None:
        return found
    async with unit_of_work(running, principal) as work:
        changed = await store.describe_workspace(
            work.connection, principal.tenant_no, found.workspace_id, description
        )
        if changed is None:
            raise no_workspace(name)
        work.record(WorkspaceChanged(version=changed.version, workspace=workspace_state(changed)))
    return changed


async def delete_workspace(
    running: Running, keys: KeyRing, principal: Principal, name: str, mode: str
) -> None:
    """Delete a workspace: nobody enters it from now on, and what it holds moves or is put away.

    The owners do that when they hear of it; this waits a while for them, and does not fail where
    they take longer.
    """
    rules.check_deletable(name, mode)
    found = await managed(running, principal, name)
    rules.insist_may_clear(principal.rights, found, mode)
    if mode in (rules.RESTRICT, rules.SET_DEFAULT):
        held = await contents_of(running, keys, principal, found)
        if mode == rules.RESTRICT:
            for part in held:
                if part.count:
                    raise rules.still_holds(name, part)
        elif any(part.clashes for part in held):
            raise rules.clashes(name, held)
    async with unit_of_work(running, principal) as work:
        left = await store.begin_leaving(work.connection, principal.tenant_no, found.workspace_id)
        if left is None:
            raise no_workspace(name)
        work.record(
            WorkspaceDeleted(
                version=left.version,
                workspace=workspace_state(left),
                mode=mode,  # type: ignore[arg-type]
            )
        )
        await note_revocation(
            work.connection, principal.tenant_no, "workspace", str(found.workspace_id)
        )
    await _await_cleared(running, principal.tenant_no, found.workspace_id)


async def owner_cleared(work: UnitOfWork, workspace_id: int, by: str) -> None:
    """A service holds nothing of a deleted workspace any more; with the last one it is gone."""
    gone = await store.note_cleared(
        work.connection, work.acting.tenant_no, workspace_id, by, list(OWNERS)
    )
    if gone is not None:
        work.record(WorkspaceChanged(version=gone.version, workspace=workspace_state(gone)))


async def managed(running: Running, principal: Principal, name: str) -> Workspace:
    """A workspace that the caller may manage; as missing where they may not even enter it."""
    found = await visible(running, principal, name)
    if not principal.rights.holds("workspace.manage", found.workspace_id):
        raise not_allowed("workspace.manage", f"workspace {name!r}", "")
    return found


async def visible(running: Running, principal: Principal, name: str) -> Workspace:
    """A workspace that the caller may enter."""
    async with running.database.reading(principal.tenant_no) as connection:
        found = await active_workspace(connection, principal.tenant_no, name)
    if found is None and name == DEFAULT_NAME:
        found = await first_workspace(running, principal)
    if found is None or not principal.rights.enters(found.workspace_id):
        raise no_workspace(name)
    return found


async def _await_cleared(running: Running, tenant_no: int, workspace_id: int) -> None:
    until = time.monotonic() + CLEARED_WITHIN_SECONDS
    while time.monotonic() < until:
        async with running.database.reading(tenant_no) as connection:
            if await is_cleared(connection, tenant_no, workspace_id):
                return
        await asyncio.sleep(_LOOK_SECONDS)
