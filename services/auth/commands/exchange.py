"""A credential is exchanged for signed principals, and its use is noted."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from libs.common.database import Database
from libs.common.principal import Principal
from services.auth.commands.entering import entered, insist_stands
from services.auth.keys import KeyRing
from services.auth.model.credential import (
    INVITED,
    MALFORMED,
    UNKNOWN,
    Credential,
    CredentialRefused,
)
from services.auth.model.principals import lifetime, mint
from services.auth.model.secrets import INVITATION_PREFIX, OPERATOR_PREFIX, digest, is_well_formed
from services.auth.queries.credentials import credential, whose_digest
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


async def exchange_secret(
    database: Database, keys: KeyRing, secret: str, audiences: Sequence[str], workspace: str = ""
) -> Exchanged:
    """Principals for a presented token in a workspace, '' for the token's own.

    Raises CredentialRefused with what is wrong with the token, WorkspaceRefused where it may not
    enter the workspace.
    """
    if not is_well_formed(secret):
        raise CredentialRefused(MALFORMED)
    if secret.startswith(INVITATION_PREFIX):
        raise CredentialRefused(INVITED)
    if secret.startswith(OPERATOR_PREFIX):
        return await _mint_all(await _operating(database, secret), keys, audiences)
    found = await whose_digest(database, digest(secret))
    if found is None:
        raise CredentialRefused(UNKNOWN)
    known = await _used(database, *found)
    if workspace:
        known = await entered(database, known, workspace)
    insist_stands(known)
    return await _mint_all(known, keys, audiences)


async def exchange_principal(
    database: Database, keys: KeyRing, principal: Principal, audiences: Sequence[str]
) -> Exchanged:
    """Principals for other audiences, for the bearer of one, as long as its token still lives."""
    known = await _used(database, principal.tenant_no, UUID(principal.actor))
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


async def _used(database: Database, tenant_no: int, token_id: UUID) -> Credential:
    """The living credential; a silent write besides, as its last use interests nobody else."""
    async with database.transaction(tenant_no) as connection:
        known = await credential(connection, tenant_no, token_id)
        if known is None:
            raise CredentialRefused(UNKNOWN)
        known.insist_usable()
        if known.last_use_is_stale:
            await note_use(connection, tenant_no, token_id)
    return known


async def _mint_all(known: Credential, keys: KeyRing, audiences: Sequence[str]) -> Exchanged:
    key, now = await keys.signing(), int(time.time())
    seconds = lifetime(known, now)
    if seconds < 1:
        raise CredentialRefused("the token has expired")
    principals = {audience: mint(known, audience, key, now) for audience in audiences}
    return Exchanged(principals, now, seconds, known)
