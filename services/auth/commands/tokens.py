"""A member makes tokens, and ends them."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from libs.common.contracts.auth import TokenIssued, TokenRevoked
from libs.common.errors import denied, missing
from libs.common.events.outbox import Recording, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.facts import token_state
from services.auth.model.credential import user_id_of
from services.auth.model.secrets import digest, new_secret
from services.auth.store.identity import NewToken, StoredToken, add_token, has_token, revoke_token
from services.auth.store.revocations import note_revocation


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token and its secret, which is known only now."""

    stored: StoredToken
    secret: str


def user_of(principal: Principal) -> UUID:
    """The user or service account a principal speaks for; refused for principals of others."""
    user_id = user_id_of(principal.subject)
    if user_id is None:
        raise denied("Only users and service accounts have tokens of their own.")
    return user_id


async def issue_token(
    running: Recording, principal: Principal, name: str, expires_in_days: int | None
) -> IssuedToken:
    """A token that speaks for the caller, with what the caller's own credential may do."""
    secret = new_secret()
    new = NewToken(
        token_id=uuid4(),
        digest=digest(secret),
        name=name,
        user_id=user_of(principal),
        workspace_id=principal.workspace_id,
        scopes=principal.scopes,
        expires_in_days=expires_in_days,
    )
    async with unit_of_work(running, principal) as work:
        stored = await add_token(work.connection, principal.tenant_no, new)
        work.record(TokenIssued(version=stored.version, token=token_state(stored)))
    return IssuedToken(stored, secret)


async def end_token(running: Recording, principal: Principal, token_id: UUID) -> None:
    """Revoke one of the caller's tokens; doing it twice is no error. 404 for any other."""
    user_id = user_of(principal)
    async with unit_of_work(running, principal) as work:
        stored = await revoke_token(work.connection, principal.tenant_no, token_id, user_id)
        if stored is not None:
            work.record(TokenRevoked(version=stored.version, token=token_state(stored)))
            await note_revocation(work.connection, principal.tenant_no, "token", str(token_id))
        elif await has_token(work.connection, principal.tenant_no, token_id, user_id):
            work.silent("it had been revoked before")
        else:
            raise missing(f"Token with id={token_id} not found")
