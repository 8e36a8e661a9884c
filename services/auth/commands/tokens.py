"""A member makes tokens, rotates and ends them; an admin ends anybody's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from libs.common.contracts.auth import TokenChanged, TokenIssued, TokenRevoked
from libs.common.database import Connection
from libs.common.errors import denied, invalid, missing, unauthenticated
from libs.common.events.outbox import Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.facts import token_state
from services.auth.model.credential import ALL_SCOPES, user_id_of, user_of_login
from services.auth.model.secrets import digest, new_secret
from services.auth.model.tokens import TokenRefused, days_of, most_days, networks_of, scopes_of
from services.auth.queries.credentials import kind_of_token, networks_of_token, plan_of
from services.auth.queries.workspaces import stands
from services.auth.store.identity import NewToken, StoredToken, add_token, has_token, revoke_token
from services.auth.store.revocations import note_revocation
from services.auth.store.tokens import (
    LivingToken,
    cut_token_short,
    hold_token,
    lock_living_token,
    pass_made_on,
    revoke_begun,
    revoke_made,
)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and its secret, which is known only now."""

    stored: StoredToken
    secret: str


@dataclass(frozen=True, slots=True)
class _Origin:
    """The token that one is made with, and when that ends where it bounds the new one."""

    issued_by: UUID | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class WantedToken:
    """What a token is asked for with; None leaves it to the plan or to the maker's credential."""

    name: str
    expires_in_days: int | None = None
    scopes: Sequence[str] | None = None
    networks: Sequence[str] | None = None
    workspace_id: int | None = None


def user_of(principal: Principal) -> UUID:
    """The user or service account a principal speaks for; refused for principals of others."""
    user_id = user_id_of(principal.subject)
    if user_id is None:
        raise denied("Only users and service accounts have tokens of their own.")
    return user_id


async def issue_token(running: Recording, principal: Principal, wanted: WantedToken) -> IssuedToken:
    """A token that speaks for the caller."""
    user_id = user_of(principal)
    async with unit_of_work(running, principal) as work:
        return await issuing(work, principal, user_id, wanted)


async def issuing(
    work: UnitOfWork, principal: Principal, user_id: UUID, wanted: WantedToken
) -> IssuedToken:
    """A token that speaks for a user or service account, in a unit of work of the caller's.

    It never gets more than the caller's own credential has: scopes, networks, and most often time.
    """
    issued = await _add(work, principal, user_id, wanted, await _origin(work, principal))
    work.record(TokenIssued(version=issued.stored.version, token=token_state(issued.stored)))
    return issued


async def rotate_token(
    running: Recording, principal: Principal, token_id: UUID, overlap_hours: int
) -> IssuedToken:
    """Another secret for one of the caller's living tokens; the old one ends after the overlap.

    The new one is like the old one, and lives as long as that did from its making on. Rotated by
    itself or signed in with a password, it has the old one's maker; by another token, that one.
    """
    async with unit_of_work(running, principal) as work:
        origin = await _origin(work, principal)
        old = await lock_living_token(
            work.connection, principal.tenant_no, token_id, user_of(principal)
        )
        if old is None:
            raise missing(f"Token with id={token_id} not found among those that have not ended")
        plan = await plan_of(work.connection, principal.tenant_no)
        wanted = WantedToken(
            old.name, min(old.days, most_days(plan)), old.scopes, old.networks, old.workspace_id
        )
        if origin.issued_by in (None, token_id):
            origin = _Origin(old.issued_by, old.not_after)
        issued = await _add(work, principal, old.user_id, wanted, origin, rotated_from=token_id)
        work.record(TokenIssued(version=issued.stored.version, token=token_state(issued.stored)))
        await pass_made_on(work.connection, principal.tenant_no, token_id, issued.stored.token_id)
        await _end_after(work, old, overlap_hours)
    return issued


async def end_token(running: Recording, principal: Principal, token_id: UUID) -> None:
    """Revoke one of the caller's tokens; doing it twice is no error. 404 for any other."""
    await _end(running, principal, token_id, user_of(principal))


async def end_any_token(running: Recording, principal: Principal, token_id: UUID) -> None:
    """Revoke a token of the caller's tenant, whoever's it is; doing it twice is no error."""
    await _end(running, principal, token_id, None)


async def end_made(work: UnitOfWork, token_ids: Sequence[UUID]) -> None:
    """End what was made with tokens that are revoked, and with that in turn."""
    connection, tenant_no = work.connection, work.acting.tenant_no
    while made := await revoke_made(connection, tenant_no, token_ids):
        for stored in made:
            work.record(TokenRevoked(version=stored.version, token=token_state(stored)))
            await note_revocation(connection, tenant_no, "token", str(stored.token_id))


async def end_sessions(work: UnitOfWork, user_id: UUID, password_version: int) -> None:
    """End a member's sessions that began with a password of that version."""
    connection, tenant_no = work.connection, work.acting.tenant_no
    for stored in await revoke_begun(connection, tenant_no, user_id, password_version):
        work.record(TokenRevoked(version=stored.version, token=token_state(stored)))
        await note_revocation(connection, tenant_no, "token", str(stored.token_id))


async def networks_held(connection: Connection, principal: Principal) -> tuple[str, ...]:
    """The networks that the credential in use is bound to; () where it may be used anywhere."""
    if user_of_login(principal.actor) is not None:
        return ()
    return await networks_of_token(connection, principal.tenant_no, UUID(principal.actor))


async def insist_no_session(connection: Connection, principal: Principal) -> None:
    """Refuse a session of the web pages: what outlives it is not made by what a browser holds."""
    if user_of_login(principal.actor) is not None:
        return
    kind = await kind_of_token(connection, principal.tenant_no, UUID(principal.actor))
    if kind == "session":
        raise denied(
            "A session of the web pages makes no credentials that outlive it: use a token, or sign in"
            " with a password."
        )


async def _end(
    running: Recording, principal: Principal, token_id: UUID, user_id: UUID | None
) -> None:
    async with unit_of_work(running, principal) as work:
        stored = await revoke_token(work.connection, principal.tenant_no, token_id, user_id)
        if stored is not None:
            work.record(TokenRevoked(version=stored.version, token=token_state(stored)))
            await note_revocation(work.connection, principal.tenant_no, "token", str(token_id))
            await end_made(work, [token_id])
        elif await has_token(work.connection, principal.tenant_no, token_id, user_id):
            work.silent("it had been revoked before")
        else:
            raise missing(f"Token with id={token_id} not found")


async def _origin(work: UnitOfWork, principal: Principal) -> _Origin:
    """What a new token comes from; the token in use is not revoked until COMMIT.

    It bounds the new one's life, unless the caller may make tokens for anybody for good.
    """
    if user_of_login(principal.actor) is not None:
        return _Origin()
    used = UUID(principal.actor)
    await insist_no_session(work.connection, principal)
    ends = await hold_token(work.connection, principal.tenant_no, used)
    if ends is None:
        raise unauthenticated("The token you use has ended; use another one.")
    free = principal.scopes == ALL_SCOPES and principal.rights.holds_all("token.manage", "tenant")
    return _Origin(used, None if free else ends)


async def _add(
    work: UnitOfWork,
    principal: Principal,
    user_id: UUID,
    wanted: WantedToken,
    origin: _Origin,
    rotated_from: UUID | None = None,
) -> IssuedToken:
    secret, connection = new_secret(), work.connection
    plan = await plan_of(connection, principal.tenant_no)
    held = await networks_held(connection, principal)
    try:
        new = NewToken(
            token_id=uuid4(),
            digest=digest(secret),
            name=wanted.name,
            user_id=user_id,
            workspace_id=await _workspace(connection, principal, wanted.workspace_id),
            scopes=scopes_of(wanted.scopes, principal.scopes),
            expires_in_days=days_of(wanted.expires_in_days, plan),
            networks=networks_of(wanted.networks, held),
            rotated_from=rotated_from,
            issued_by=origin.issued_by,
            not_after=origin.not_after,
        )
    except TokenRefused as problem:
        raise invalid(f"{problem}.") from None
    return IssuedToken(await add_token(connection, principal.tenant_no, new), secret)


async def _workspace(connection: Connection, principal: Principal, wanted: int | None) -> int:
    if wanted is None or wanted == principal.workspace_id:
        return principal.workspace_id
    there = await stands(connection, principal.tenant_no, wanted)
    if not there or not principal.rights.enters(wanted):
        raise missing(f"workspace_id: there is no workspace {wanted}")
    return wanted


async def _end_after(work: UnitOfWork, old: LivingToken, hours: int) -> None:
    connection, tenant_no = work.connection, work.acting.tenant_no
    if hours == 0:
        revoked = await revoke_token(connection, tenant_no, old.token_id, old.user_id)
        assert revoked is not None
        work.record(TokenRevoked(version=revoked.version, token=token_state(revoked)))
        await note_revocation(connection, tenant_no, "token", str(old.token_id))
        return
    changed = await cut_token_short(connection, tenant_no, old.token_id, hours)
    work.record(TokenChanged(version=changed.version, token=token_state(changed)))
