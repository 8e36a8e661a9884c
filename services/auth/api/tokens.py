"""A member's own tokens: make one, list them, end one."""

from uuid import UUID

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, guarded
from services.auth.commands.tokens import end_token, issue_token, user_of
from services.auth.queries.credentials import tokens_of
from services.auth.schemas.tokens import IssuedTokenBody, NewTokenBody, TokenBody, TokenListBody

router = APIRouter(prefix="/api/maestro/v1/tokens", tags=["tokens"])


@router.post("", status_code=201, **guarded("token.own"))
async def create_token(body: NewTokenBody, caller: Caller, running: Here) -> IssuedTokenBody:
    """Make a token for yourself; its secret is in this answer and nowhere else."""
    issued = await issue_token(running, caller, body.name, body.expires_in_days)
    return IssuedTokenBody(
        id=issued.stored.token_id,
        name=issued.stored.name,
        token=issued.secret,
        created_at=issued.stored.created_at,
        expires_at=issued.stored.expires_at,
    )


@router.get("", **guarded("token.own"))
async def list_tokens(caller: Caller, running: Here) -> TokenListBody:
    """Your tokens, ended ones too; never their secrets."""
    async with running.database.reading(caller.tenant_no) as connection:
        rows = await tokens_of(connection, caller.tenant_no, user_of(caller))
    return TokenListBody(
        tokens=[
            TokenBody(
                id=row.token_id,
                name=row.name,
                scopes=list(row.scopes),
                created_at=row.created_at,
                expires_at=row.expires_at,
                last_used_at=row.last_used_at,
                revoked_at=row.revoked_at,
            )
            for row in rows
        ]
    )


@router.delete("/{token_id}", status_code=204, **guarded("token.own"))
async def delete_token(token_id: UUID, caller: Caller, running: Here) -> None:
    """End one of your tokens, everywhere and at once; ending it twice is no error."""
    await end_token(running, caller, token_id)
