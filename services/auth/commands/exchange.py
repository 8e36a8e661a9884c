"""A credential is exchanged for signed principals, and its use is noted."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from libs.common.database import Connection, Database
from libs.common.principal import Principal
from services.auth.commands.entering import entered, insist_own
from services.auth.keys import KeyRing
from services.auth.model.credential import (
    CHANGED_SINCE,
    INVITED,
    MALFORMED,
    NO_MEMBER,
    NOWHERE,
    OF_A_LINK,
    UNKNOWN,
    WHICH_TENANT,
    WRONG,
    Credential,
    CredentialRefused,
    login_actor,
    user_of_login,
)
from services.auth.model.principals import lifetime, mint
from services.auth.model.secrets import (
    INVITATION_PREFIX,
    LINK_PREFIX,
    OPERATOR_PREFIX,
    digest,
    is_well_formed,
)
from services.auth.passwords import Passwords
from services.auth.queries.credentials import credential, whose_digest
from services.auth.queries.logins import login_credential, person_of_login, tenants_of
from services.auth.queries.tenants import operator_credential
from services.auth.store.identity import note_use
from services.auth.store.tenants import note_operator_use


@dataclass(frozen=True, slots=True)
class Exchanged:
    """Signed principals by audience, for `expires_in` seconds from `issued_at` (since 1970).

    `credential` is what they were minted for.
    """

    principals: dict[str, str]
    issued_at: int
    expires_in: int
    credential: Credential


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user name, which is `tenant/login` or the `login` of a member of one tenant alone."""

    user_name: str
    password: str = field(repr=False)


async def exchange_secret(
    database: Database,
    keys: KeyRing,
    secret: str,
    audiences: Sequence[str],
    workspace: str = "",
    *,
    address: str = "",
) -> Exchanged:
    """Principals for a token presented at an address, in a workspace, '' for the token's own.

    Raises CredentialRefused with what is wrong with the token, WorkspaceRefused where it may not
    enter the workspace: who stands outside of the token's networks does not learn which there are.
    """
    if not is_well_formed(secret):
        raise CredentialRefused(MALFORMED)
    if secret.startswith(INVITATION_PREFIX):
        raise CredentialRefused(INVITED)
    if secret.startswith(LINK_PREFIX):
        raise CredentialRefused(OF_A_LINK)
    if secret.startswith(OPERATOR_PREFIX):
        return await _mint_all(await _operating(database, secret), keys, audiences)
    found = await whose_digest(database, digest(secret))
    if found is None:
        raise CredentialRefused(UNKNOWN)
    tenant_no, token_id = found
    known = await _used(database, tenant_no, str(token_id), address)
    return await _mint_all(await _entering(database, known, workspace), keys, audiences)


async def exchange_password(
    database: Database,
    keys: KeyRing,
    passwords: Passwords,
    shown: SignIn,
    audiences: Sequence[str],
    workspace: str = "",
) -> Exchanged:
    """Principals for a user name and password in a workspace, '' for the first one.

    Raises CredentialRefused, WorkspaceRefused. Whoever does not know the password learns nothing:
    not whether there is such a login, nor of which tenants.
    """
    tenant, slash, rest = shown.user_name.partition("/")
    login = rest if slash else shown.user_name
    person = await person_of_login(database, login)
    stored = None if person is None else person.password_hash
    fits = await passwords.fits(login, shown.password, stored)
    if person is None or not fits:
        raise CredentialRefused(WRONG)
    tenants = await tenants_of(database, person.user_id)
    tenant_no = _tenant_meant(tenants, tenant if slash else None)
    actor = login_actor(person.user_id, person.password_version)
    known = await _used(database, tenant_no, actor)
    return await _mint_all(await _entering(database, known, workspace), keys, audiences)


async def exchange_principal(
    database: Database, keys: KeyRing, principal: Principal, audiences: Sequence[str]
) -> Exchanged:
    """Principals for other audiences, for the bearer of one, while what it was given for lives."""
    known = await _used(database, principal.tenant_no, principal.actor)
    if known.subject != principal.subject:
        raise CredentialRefused(UNKNOWN)
    narrowed = replace(
        known,
        workspace_id=principal.workspace_id,
        workspace=principal.workspace,
        scopes=principal.scopes,
    )
    return await _mint_all(narrowed, keys, audiences)


async def _operating(database: Database, secret: str) -> Credential:
    """The operator's credential; a silent write besides, as its last use interests nobody else."""
    known = await operator_credential(database, digest(secret))
    if known is None:
        raise CredentialRefused(UNKNOWN)
    if known.last_use_is_stale:
        async with database.transaction() as connection:
            await note_operator_use(connection, known.user_id)
    return known


async def _entering(database: Database, known: Credential, workspace: str) -> Credential:
    """The credential in the workspace that the request names, else in its own, which must stand."""
    if workspace:
        return await entered(database, known, workspace)
    await insist_own(database, known)
    return known


def _tenant_meant(tenants: Mapping[str, int], name: str | None) -> int:
    """The number of the tenant that a person signs in to; `name` is None where none was given."""
    if name is not None:
        if name not in tenants:
            raise CredentialRefused(NO_MEMBER)
        return tenants[name]
    if len(tenants) != 1:
        raise CredentialRefused(WHICH_TENANT if tenants else NOWHERE)
    return next(iter(tenants.values()))


async def _used(
    database: Database, tenant_no: int, actor: str, address: str | None = None
) -> Credential:
    """The living credential; a silent write besides, as its last use interests nobody else.

    With an `address` it must be within the credential's networks.
    """
    async with database.transaction(tenant_no) as connection:
        known = await _known(connection, tenant_no, actor)
        if known is None:
            raise CredentialRefused(UNKNOWN)
        known.insist_usable()
        if address is not None:
            known.insist_from(address)
        if known.last_use_is_stale:
            await note_use(connection, tenant_no, UUID(actor))
    return known


async def _known(connection: Connection, tenant_no: int, actor: str) -> Credential | None:
    user_id = user_of_login(actor)
    if user_id is None:
        return await credential(connection, tenant_no, UUID(actor))
    known = await login_credential(connection, tenant_no, user_id)
    if known is not None and known.actor != actor:
        raise CredentialRefused(CHANGED_SINCE)
    return known


async def _mint_all(known: Credential, keys: KeyRing, audiences: Sequence[str]) -> Exchanged:
    key, now = await keys.signing(), int(time.time())
    seconds = lifetime(known, now)
    if seconds < 1:
        raise CredentialRefused("the token has expired")
    principals = {audience: mint(known, audience, key, now) for audience in audiences}
    return Exchanged(principals, now, seconds, known)
