"""Members are suspended, resumed and removed; one active owner always stays."""

from libs.common.contracts.auth import GrantRevoked, TokenRevoked, UserChanged, UserRemoved
from libs.common.events.outbox import Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.access import access_changed, insist_owner_stays, rights_to_change
from services.auth.commands.facts import grant_state, token_state, user_state
from services.auth.commands.tokens import end_made
from services.auth.model.holding import insist_holds, insist_lifts
from services.auth.model.members import Member
from services.auth.queries.access import access_of
from services.auth.queries.grants import grants_of
from services.auth.queries.members import find_member
from services.auth.store.identity import revoke_tokens
from services.auth.store.members import drop_grants, free_login, set_status


async def suspend_member(running: Recording, caller: Principal, name: str) -> Member:
    """Let a member do nothing until it is resumed; doing it twice is no error."""
    async with unit_of_work(running, caller) as work:
        found = await touched(work, caller, name, "suspend")
        await insist_owner_stays(work, found)
        return await _change(work, found, "suspended")


async def resume_member(running: Recording, caller: Principal, name: str) -> Member:
    """Let a suspended member act again; doing it twice is no error."""
    async with unit_of_work(running, caller) as work:
        return await _change(work, await touched(work, caller, name, "resume"), "active")


async def remove_member(running: Recording, caller: Principal, name: str) -> None:
    """End a membership with its tokens and grants; the user stays a member elsewhere."""
    async with unit_of_work(running, caller) as work:
        found = await touched(work, caller, name, "remove", lifts=True)
        await insist_owner_stays(work, found)
        await _remove(work, found)


async def touched(
    work: UnitOfWork, caller: Principal, name: str, doing: str, *, lifts: bool = False
) -> Member:
    """The member that is to be changed, held until COMMIT; refused where it holds more.

    With `lifts` what is denied to it ends too: it may come back, and would come back without.
    """
    rights = await rights_to_change(work, caller)
    found = await find_member(work.connection, caller.tenant_no, name)
    told = await access_of(work.connection, caller.tenant_no, found.user_id)
    assert told is not None
    insist_holds(rights, told.access.rules, f"{doing} {found.login}")
    if lifts:
        insist_lifts(rights, told.access.rules, f"{doing} {found.login}, which ends its denials")
    return found


async def _change(work: UnitOfWork, found: Member, status: str) -> Member:
    changed = await set_status(work.connection, work.acting.tenant_no, found, status)
    if changed is None:
        work.silent("it stood so before")
        return found
    work.record(UserChanged(version=changed.version, user=user_state(changed)))
    await access_changed(work, [found.user_id])
    return changed


async def _remove(work: UnitOfWork, found: Member) -> None:
    tenant_no = work.acting.tenant_no
    removed = await set_status(work.connection, tenant_no, found, "removed")
    assert removed is not None, "it was found and is held"
    ended = await revoke_tokens(work.connection, tenant_no, found.user_id)
    for stored in ended:
        work.record(TokenRevoked(version=stored.version, token=token_state(stored)))
    await end_made(work, [stored.token_id for stored in ended])
    for held in await grants_of(work.connection, tenant_no, found.user_id):
        work.record(GrantRevoked(version=held.version + 1, grant=grant_state(held)))
    await drop_grants(work.connection, tenant_no, found.user_id)
    if found.kind == "service":
        await free_login(work.connection, found.user_id)
    work.record(UserRemoved(version=removed.version, user=user_state(removed)))
    await access_changed(work, [found.user_id])
