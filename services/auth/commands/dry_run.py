"""A change of access is tried and undone, to tell who would gain and who would lose what."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.common.access.authority import Told
from libs.common.access.rights import ALL_SCOPES, Rights, compile_rights
from libs.common.database import Connection
from libs.common.events.outbox import UnitOfWork
from libs.common.principal import Principal
from libs.common.service import Running
from services.auth.commands.grants import granting
from services.auth.commands.roles import changing_role, giving_role
from services.auth.model.explaining import Effective, difference
from services.auth.model.grants import NewGrant
from services.auth.queries.access import accesses_of
from services.auth.queries.members import find_member
from services.auth.queries.roles import who_has_role
from services.auth.store.tenants import lock_tenant


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change would do to one member: the permissions by target."""

    subject: str
    gains: Effective
    loses: Effective


class _UndoneError(Exception):
    """Ends the transaction of a dry run without COMMIT."""


async def try_role(
    running: Running, principal: Principal, name: str, permissions: Sequence[str]
) -> list[Effect]:
    """What other permissions of a role would do to those who have it."""

    async def affected(connection: Connection) -> list[UUID]:
        members, grantees = await who_has_role(connection, principal.tenant_no, name)
        return list({**members, **grantees})

    async def change(work: UnitOfWork) -> None:
        await changing_role(work, principal, name, "", permissions)

    return await _tried(running, principal, affected, change)


async def try_member(
    running: Running, principal: Principal, named: str, role: str | None
) -> list[Effect]:
    """What another role would do to a member."""

    async def change(work: UnitOfWork) -> None:
        await giving_role(work, principal, named, role)

    return await _tried(running, principal, _one(principal, named), change)


async def try_grant(running: Running, principal: Principal, new: NewGrant) -> list[Effect]:
    """What a grant would do to whom it is about."""

    async def change(work: UnitOfWork) -> None:
        await granting(work, principal, new)

    return await _tried(running, principal, _one(principal, new.subject), change)


def _one(principal: Principal, named: str) -> Callable[[Connection], Awaitable[list[UUID]]]:
    async def affected(connection: Connection) -> list[UUID]:
        return [(await find_member(connection, principal.tenant_no, named)).user_id]

    return affected


async def _tried(
    running: Running,
    principal: Principal,
    affected: Callable[[Connection], Awaitable[list[UUID]]],
    change: Callable[[UnitOfWork], Awaitable[None]],
) -> list[Effect]:
    """The effects of a change that really happens, to be undone: so they are the true ones.

    Nothing of it is told: the facts of a unit of work that is not flushed are nowhere.
    """
    tenant_no = principal.tenant_no
    before: dict[UUID, Told] = {}
    after: dict[UUID, Told] = {}
    try:
        async with running.database.transaction(tenant_no) as connection:
            await lock_tenant(connection, tenant_no)
            members = await affected(connection)
            before = await accesses_of(connection, tenant_no, members)
            await change(UnitOfWork(connection, principal))
            after = await accesses_of(connection, tenant_no, members)
            raise _UndoneError
    except _UndoneError:
        pass
    found = []
    for user_id, told in before.items():
        effect = _effect(told, after[user_id])
        if effect.gains or effect.loses:
            found.append(effect)
        # Ten milliseconds for a member of many grants, and others want their answers too.
        await asyncio.sleep(0)
    return found


def _effect(before: Told, after: Told) -> Effect:
    gains, loses = difference(_rights(before), _rights(after))
    return Effect(after.access.subject, gains, loses)


def _rights(told: Told) -> Rights:
    return compile_rights(told.access, told.version, ALL_SCOPES)
