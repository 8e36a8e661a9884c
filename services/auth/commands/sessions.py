"""Somebody signs in on the web pages, by a link too, and signs out.

A session is a token of a kind of its own, with what the credential that made it may do and no more.
It ends with that one: a token's children do, and one of a password names the password's version.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from libs.common.contracts.auth import TokenIssued, TokenRevoked
from libs.common.database import Connection
from libs.common.errors import unauthenticated
from libs.common.events.outbox import Caused, Recording, UnitOfWork, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.facts import token_state
from services.auth.commands.tokens import (
    IssuedToken,
    end_token,
    insist_no_session,
    networks_held,
    user_of,
)
from services.auth.model.credential import CredentialRefused, password_version_of
from services.auth.model.secrets import (
    LINK_PREFIX,
    SESSION_PREFIX,
    digest,
    is_well_formed,
    new_secret,
)
from services.auth.queries.credentials import credential, kind_of_token, whose_digest
from services.auth.store.identity import NewToken, add_token
from services.auth.store.tokens import hold_token, take_link

SESSION_SECONDS: Final = 12 * 3600
LINK_SECONDS: Final = 10 * 60
SPENT: Final = "the link was used already, or has expired: have another one made"
_ENDED: Final = "The credential that this comes from has ended; use another one."


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is made, and what the credential that makes it hands on."""

    kind: str
    user_id: UUID
    workspace_id: int
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    issued_by: UUID | None
    password_version: int | None


async def begin_session(running: Recording, principal: Principal) -> IssuedToken:
    """A session for whoever has just shown a credential."""
    async with unit_of_work(running, principal) as work:
        return await _add(work, await _wanted(work.connection, principal, "session"))


async def make_link(running: Recording, principal: Principal) -> IssuedToken:
    """A link with which the caller signs in once, from wherever it is opened."""
    async with unit_of_work(running, principal) as work:
        await insist_no_session(work.connection, principal)
        return await _add(work, await _wanted(work.connection, principal, "link"))


async def use_link(running: Recording, secret: str, address: str) -> IssuedToken:
    """The session that a link begins; it can be used once.

    Raises CredentialRefused with what is wrong with it.
    """
    known = secret.startswith(LINK_PREFIX) and is_well_formed(secret)
    found = await whose_digest(running.database, digest(secret)) if known else None
    if found is None:
        raise CredentialRefused("there is no such link here; it may be of another installation")
    tenant_no, token_id = found
    async with running.database.reading(tenant_no) as connection:
        holder = await credential(connection, tenant_no, token_id)
    if holder is None or holder.revoked or holder.expired:
        raise CredentialRefused(SPENT)
    holder.insist_usable()
    holder.insist_from(address)
    acting = Caused(str(holder.tenant_id), tenant_no, holder.subject)
    async with unit_of_work(running, acting) as work:
        taken = await take_link(work.connection, tenant_no, token_id)
        if taken is None:
            raise CredentialRefused(SPENT)
        link, session = taken
        work.record(TokenRevoked(version=link.version, token=token_state(link)))
        wanted = _Wanted(
            "session",
            link.user_id,
            session.workspace_id,
            tuple(link.scopes),
            tuple(link.networks),
            session.issued_by,
            session.password_version,
        )
        return await _add(work, wanted)


async def end_session(running: Recording, principal: Principal) -> None:
    """Sign out: end the session that is in use. Any other credential goes on."""
    if password_version_of(principal.actor) is not None:
        return
    used = UUID(principal.actor)
    async with running.database.reading(principal.tenant_no) as connection:
        kind = await kind_of_token(connection, principal.tenant_no, used)
    if kind == "session":
        await end_token(running, principal, used)


async def _wanted(connection: Connection, principal: Principal, kind: str) -> _Wanted:
    password_version = password_version_of(principal.actor)
    return _Wanted(
        kind,
        user_of(principal),
        principal.workspace_id,
        tuple(principal.scopes),
        await networks_held(connection, principal),
        UUID(principal.actor) if password_version is None else None,
        password_version,
    )


async def _add(work: UnitOfWork, wanted: _Wanted) -> IssuedToken:
    session = wanted.kind == "session"
    secret = new_secret(SESSION_PREFIX if session else LINK_PREFIX)
    new = NewToken(
        token_id=uuid4(),
        digest=digest(secret),
        name="signed in on the web pages" if session else "a link to sign in with",
        user_id=wanted.user_id,
        workspace_id=wanted.workspace_id,
        scopes=wanted.scopes,
        expires_in_days=1,
        networks=wanted.networks,
        issued_by=wanted.issued_by,
        not_after=await _bound(work, wanted.issued_by),
        kind=wanted.kind,
        seconds=SESSION_SECONDS if session else LINK_SECONDS,
        password_version=wanted.password_version,
    )
    stored = await add_token(work.connection, work.acting.tenant_no, new)
    work.record(TokenIssued(version=stored.version, token=token_state(stored)))
    return IssuedToken(stored, secret)


async def _bound(work: UnitOfWork, maker: UUID | None) -> datetime | None:
    """When the token that makes it ends, which nobody revokes until COMMIT."""
    if maker is None:
        return None
    ends = await hold_token(work.connection, work.acting.tenant_no, maker)
    if ends is None:
        raise unauthenticated(_ENDED)
    return ends
