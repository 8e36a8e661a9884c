"""A member's own tokens: make one, list them, rotate and end one."""

from uuid import UUID

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, guarded
from services.auth.commands.tokens import (
    IssuedToken,
    WantedToken,
    end_token,
    issue_token,
    rotate_token,
    user_of,
)
from services.auth.queries.credentials import TokenRow, tokens_of
from services.auth.schemas.tokens import (
    IssuedTokenBody,
    NewTokenBody,
    RotationBody,
    TokenBody,
    TokenListBody,
)

router = APIRouter(prefix="/api/maestro/v1/tokens", tags=["tokens"])


@router.post("", status_code=201, **guarded("token.own"))
async def create_token(body: NewTokenBody, caller: Caller, running: Here) -> IssuedTokenBody:
    """Make a token for yourself; its secret is in this answer and nowhere else."""
    return issued_body(await issue_token(running, caller, wanted_of(body)))


@router.get("", **guarded("token.own"))
async def list_tokens(caller: Caller, running: Here) -> TokenListBody:
    """Your tokens, ended ones too; never their secrets."""
    async with running.database.reading(caller.tenant_no) as connection:
        rows = await tokens_of(connection, caller.tenant_no, user_of(caller))
    return TokenListBody(tokens=[_body(row) for row in rows])


@router.post("/{token_id}/rotate", status_code=201, **guarded("token.own"))
async def replace_token(
    token_id: UUID, body: RotationBody, caller: Caller, running: Here
) -> IssuedTokenBody:
    """Get a new secret for one of your tokens; the old one ends after the overlap."""
    return issued_body(await rotate_token(running, caller, token_id, body.overlap_hours))


@router.delete("/{token_id}", status_code=204, **guarded("token.own"))
async def delete_token(token_id: UUID, caller: Caller, running: Here) -> None:
    """End one of your tokens, everywhere and at once; ending it twice is no error."""
    await end_token(running, caller, token_id)


def wanted_of(body: NewTokenBody) -> WantedToken:
    """What a body asks for."""
    return WantedToken(
        name=body.name,
        expires_in_days=body.expires_in_days,
        scopes=body.scopes,
        networks=body.networks,
        workspace_id=body.workspace_id,
    )


def issued_body(issued: IssuedToken) -> IssuedTokenBody:
    """The answer that shows a new token's secret."""
    stored = issued.stored
    return IssuedTokenBody(
        id=stored.token_id,
        name=stored.name,
        token=issued.secret,
        scopes=list(stored.scopes),
        networks=list(stored.networks),
        created_at=stored.created_at,
        expires_at=stored.expires_at,
    )


def _body(row: TokenRow) -> TokenBody:
    return TokenBody(
        id=row.token_id,
        name=row.name,
        scopes=list(row.scopes),
        networks=list(row.networks),
        workspace_id=row.workspace_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        rotated_from=row.rotated_from,
        issued_by=row.issued_by,
        kind=row.kind,
    )
