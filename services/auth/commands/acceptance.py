"""An invitation is accepted: by a new login, by a known one with its password, or signed in."""

from uuid import UUID, uuid4

from libs.common.access.rights import ALL_SCOPES, compile_rights
from libs.common.contracts.auth import AccessRule, InvitationAccepted, UserChanged, UserCreated
from libs.common.database import Connection, Database
from libs.common.errors import denied, exists, invalid, missing, unauthenticated
from libs.common.events.outbox import Caused, Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.access import access_changed
from services.auth.commands.facts import invitation_state, user_state
from services.auth.commands.invitations import rules_of_role
from services.auth.commands.tokens import user_of
from services.auth.model.credential import subject_of, user_id_of
from services.auth.model.holding import lacking
from services.auth.model.invitations import MOST_TRIES, UNKNOWN, Invited, conflict
from services.auth.model.members import Member, insist_room
from services.auth.model.passwords import PasswordRefused, insist_acceptable
from services.auth.model.secrets import INVITATION_PREFIX, digest, is_well_formed
from services.auth.passwords import Passwords
from services.auth.queries.access import access_of
from services.auth.queries.invitations import invitation, whose_code
from services.auth.queries.members import UserRow, member, places_taken, user_by_id, user_by_login
from services.auth.store.invitations import mark_accepted, take_try
from services.auth.store.members import add_user, join
from services.auth.store.tenants import lock_tenant


async def accept_invitation(
    running: Recording, passwords: Passwords, code: str, password: str | None, display_name: str
) -> tuple[Invited, Member]:
    """Become a member by a code: a new login sets its password, a known one shows it."""
    invited = await _invited(running.database, code)
    invited.insist_open()
    async with running.database.reading() as connection:
        user = await user_by_login(connection, invited.login)
    if password is None:
        what = "choose one for it" if user is None else "show it, or sign in and join instead"
        raise invalid(f"password: {invited.login} needs one here: {what}.")
    if user is None:
        _insist_acceptable(password, invited.login)
    await _take_try(running.database, invited)
    if user is not None:
        await _insist_password(passwords, user, password)
        return await _accept(running, invited, user.user_id)
    password_hash = await passwords.hash(password)
    return await _accept(running, invited, None, display_name, password_hash)


async def join_tenant(running: Recording, caller: Principal, code: str) -> tuple[Invited, Member]:
    """Accept an invitation as the login that signed in, which need not show its password again."""
    user_id = user_of(caller)
    invited = await _invited(running.database, code)
    async with running.database.reading() as connection:
        user = await user_by_id(connection, user_id)
    if user is None or user.kind != "person" or user.login != invited.login:
        raise denied("This invitation is for another login; sign in as that one to accept it.")
    invited.insist_open()
    return await _accept(running, invited, user_id)


async def _invited(database: Database, code: str) -> Invited:
    known = code.startswith(INVITATION_PREFIX) and is_well_formed(code)
    found = await whose_code(database, digest(code)) if known else None
    if found is None:
        raise missing(UNKNOWN)
    async with database.reading(found[0]) as connection:
        invited = await invitation(connection, *found)
    if invited is None:
        raise missing(UNKNOWN)
    return invited


async def _take_try(database: Database, invited: Invited) -> None:
    """Bound what can be guessed, and hashed, with one code; a silent write, told by its refusal.

    It is counted before the password is looked at, so that many at once are no more than one by one.
    """
    async with database.transaction(invited.tenant_no) as connection:
        if not await take_try(connection, invited.tenant_no, invited.invitation_id, MOST_TRIES):
            raise conflict(
                "Too many passwords came with this invitation. Sign in and accept it with POST"
                " /api/maestro/v1/invitations/join, or ask for another."
            )


def _insist_acceptable(password: str, login: str) -> None:
    try:
        insist_acceptable(password, login)
    except PasswordRefused as problem:
        raise invalid(f"password: choose another one, as {problem}.") from None


async def _insist_password(passwords: Passwords, user: UserRow, password: str) -> None:
    if user.password_hash is None:
        raise conflict(
            f"{user.login} has no password to show. Sign in with a token of it, and accept with"
            " POST /api/maestro/v1/invitations/join."
        )
    if not await passwords.fits(user.login, password, user.password_hash):
        raise unauthenticated(f"password: this is not the password of {user.login}.")


async def _accept(
    running: Recording,
    invited: Invited,
    user_id: UUID | None,
    display_name: str = "",
    password_hash: str | None = None,
) -> tuple[Invited, Member]:
    known = user_id or uuid4()
    acting = Caused(str(invited.tenant_id), invited.tenant_no, subject_of(known))
    async with unit_of_work(running, acting) as work:
        await _insist_still_open(work.connection, invited)
        if user_id is None and not await add_user(
            work.connection,
            known,
            invited.login,
            display_name=display_name,
            password_hash=password_hash,
        ):
            raise conflict(f"{invited.login} has just come to be elsewhere; try again.")
        return invited, await _join(work, invited, known)


async def _insist_still_open(connection: Connection, invited: Invited) -> None:
    """Refuse what changed since it was first looked at, or what its maker may not offer now."""
    tenant = await lock_tenant(connection, invited.tenant_no)
    if tenant.status != "active":
        raise conflict(f"The tenant {tenant.name} is suspended; its invitations wait for it.")
    now = await invitation(connection, invited.tenant_no, invited.invitation_id)
    if now is None:
        raise missing(UNKNOWN)
    now.insist_open()
    # The open invitation holds its place, which it gives up for that of the member.
    members, invitations = await places_taken(connection, invited.tenant_no)
    insist_room(tenant, members + invitations - 1)
    rules = await rules_of_role(connection, invited.tenant_no, invited.role, known=False)
    if invited.role is not None and not rules:
        raise conflict(f"The role {invited.role} is gone. Ask whoever invited you for another.")
    if not (invited.by_operator or await _may_invite(connection, invited, rules)):
        raise conflict("Whoever invited you may not any more. Ask another admin of the tenant.")


async def _may_invite(connection: Connection, invited: Invited, rules: list[AccessRule]) -> bool:
    """Whether the maker of an invitation could make it now."""
    maker = user_id_of(invited.made_by)
    told = None if maker is None else await access_of(connection, invited.tenant_no, maker)
    if told is None:
        return False
    rights = compile_rights(told.access, told.version, ALL_SCOPES)
    return rights.holds("member.manage") and not lacking(rights, rules)


async def _join(work: UnitOfWork, invited: Invited, user_id: UUID) -> Member:
    tenant_no = invited.tenant_no
    if not await join(work.connection, tenant_no, user_id, invited.role):
        raise exists(f"{invited.login} is a member already.")
    joined = await member(work.connection, tenant_no, user_id)
    told = UserCreated if joined.version == 1 else UserChanged
    work.record(told(version=joined.version, user=user_state(joined)))
    version = await mark_accepted(work.connection, tenant_no, invited.invitation_id)
    work.record(
        InvitationAccepted(
            version=version, invitation=invitation_state(invited), subject=joined.subject
        )
    )
    await access_changed(work, [user_id])
    return joined
