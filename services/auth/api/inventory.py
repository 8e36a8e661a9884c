"""The tokens of a whole tenant, for those who keep watch over them."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query

from libs.common.http.own import Caller, Here, guarded
from services.auth.commands.tokens import end_any_token
from services.auth.queries.inventory import InventoryRow, Wanted, inventory
from services.auth.schemas.tokens import InventoryBody, InventoryTokenBody

_MOST: Final = 1000
_LONGEST_DAYS: Final = 3650

router = APIRouter(prefix="/api/maestro/v1/tokens/inventory", tags=["tokens"])
Days = Annotated[int | None, Query(ge=1, le=_LONGEST_DAYS)]


@router.get("", **guarded("token.manage"))
async def list_all_tokens(
    caller: Caller,
    running: Here,
    unused_days: Days = None,
    expires_within_days: Days = None,
    owner: Annotated[str | None, Query(max_length=255, pattern="^[^\x00]*$")] = None,
    ended: bool = False,
    max_results: Annotated[int, Query(ge=1, le=_MOST)] = 100,
    page_token: UUID | None = None,
) -> InventoryBody:
    """Everybody's tokens that have not ended: all, of one owner, unused for some days, or ending soon.

    A token that was never used counts from its making. With `ended`, those that have ended too.
    """
    wanted = Wanted(owner, unused_days, expires_within_days, ended, page_token, max_results + 1)
    async with running.database.reading(caller.tenant_no) as connection:
        rows = await inventory(connection, caller.tenant_no, wanted)
    page = rows[:max_results]
    return InventoryBody(
        tokens=[_body(row) for row in page],
        next_page_token=str(page[-1].token_id) if len(rows) > max_results else None,
    )


@router.delete("/{token_id}", status_code=204, **guarded("token.manage"))
async def delete_any_token(token_id: UUID, caller: Caller, running: Here) -> None:
    """End anybody's token, everywhere and at once; ending it twice is no error."""
    await end_any_token(running, caller, token_id)


def _body(row: InventoryRow) -> InventoryTokenBody:
    return InventoryTokenBody(
        id=row.token_id,
        name=row.name,
        owner=row.owner,
        owner_kind=row.owner_kind,
        scopes=row.scopes,
        networks=row.networks,
        workspace_id=row.workspace_id,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        rotated_from=row.rotated_from,
        issued_by=row.issued_by,
        kind=row.kind,
    )
