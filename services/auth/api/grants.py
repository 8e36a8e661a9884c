"""Grants: what is allowed or denied to a member on some resources."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response

from libs.common.access.permissions import Kind
from libs.common.errors import invalid
from libs.common.http.own import Caller, Here
from libs.common.principal import Principal
from services.auth.commands import grants as commands
from services.auth.model.credential import subject_of
from services.auth.model.grants import (
    WHOLE_TENANT,
    NewGrant,
    StoredGrant,
    insist_known,
    insist_manages,
    manages,
    target_of,
)
from services.auth.queries.grants import grant_by_id, grants_page, no_grant
from services.auth.queries.members import find_member
from services.auth.schemas.access import GrantBody, GrantListBody, NewGrantBody

router = APIRouter(prefix="/api/maestro/v1/grants", tags=["grants"])
# Who manages some experiments or models may grant on them as well, so a handler decides.
_DECLARED: Final = {"x-permission": "grant.manage"}


@router.post("", status_code=201, openapi_extra=_DECLARED)
async def make_grant(
    body: NewGrantBody, caller: Caller, running: Here, response: Response
) -> GrantBody:
    """Allow or deny something to a member; the same again answers 200 with the grant there is.

    It takes grant.manage, or for allowing experiment.manage or model.manage on all of the pattern;
    and nobody grants what they do not hold.
    """
    granted, new = await commands.grant(running, caller, asked(body, caller))
    response.status_code = 201 if new else 200
    return _shown(granted)


@router.get("", openapi_extra=_DECLARED)
async def list_grants(
    caller: Caller,
    running: Here,
    subject: str | None = None,
    kind: Kind | None = None,
    workspace_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    pattern: str = "*",
    max_results: Annotated[int, Query(ge=1, le=1000)] = 200,
    page_token: UUID | None = None,
) -> GrantListBody:
    """Living grants: all, of a subject, or with `kind` those on a target and below it.

    Without grant.manage one sees those on what one manages, which `kind` and `pattern` name.
    """
    target = None
    if kind is not None:
        target = target_of(kind, workspace_id or caller.workspace_id, pattern)
    insist_manages(caller.rights, "allow", target or WHOLE_TENANT)
    after = "" if page_token is None else str(page_token)
    async with running.database.reading(caller.tenant_no) as connection:
        member = None
        if subject is not None:
            member = await find_member(connection, caller.tenant_no, subject)
        user_id = None if member is None else member.user_id
        page = await grants_page(
            connection, caller.tenant_no, after, max_results + 1, user_id, target
        )
    more = len(page) > max_results
    shown = [_shown(grant) for grant in page[:max_results]]
    return GrantListBody(grants=shown, next_page_token=str(shown[-1].id) if more else None)


@router.get("/{grant_id}", openapi_extra=_DECLARED)
async def get_grant(grant_id: UUID, caller: Caller, running: Here) -> GrantBody:
    """One grant."""
    async with running.database.reading(caller.tenant_no) as connection:
        found = await grant_by_id(connection, caller.tenant_no, grant_id)
    if not manages(caller.rights, found.target):
        raise no_grant(grant_id)
    return _shown(found)


@router.delete("/{grant_id}", status_code=204, openapi_extra=_DECLARED)
async def revoke_grant(grant_id: UUID, caller: Caller, running: Here) -> None:
    """Take a grant back, everywhere and at once; lifting a denial takes holding what it denies."""
    await commands.revoke(running, caller, grant_id)


def asked(body: NewGrantBody, caller: Principal) -> NewGrant:
    """The grant that a body asks for."""
    if body.expires_at is not None and body.expires_in is not None:
        raise invalid("expires_at, expires_in: name one of them.")
    if body.kind == "tenant" and body.workspace_id is not None:
        raise invalid("workspace_id: a grant on the tenant is in no workspace; leave it out.")
    ends = body.expires_at
    if body.expires_in is not None:
        ends = datetime.now(UTC) + timedelta(seconds=body.expires_in)
    return NewGrant(
        subject=body.subject,
        effect=body.effect,
        target=target_of(body.kind, body.workspace_id or caller.workspace_id, body.pattern),
        role=body.role,
        permissions=insist_known(body.permissions),
        # Rules carry milliseconds.
        expires_at=ends and ends.replace(microsecond=ends.microsecond // 1000 * 1000),
        reason=body.reason,
    )


def _shown(grant: StoredGrant) -> GrantBody:
    return GrantBody(
        id=grant.grant_id,
        subject=subject_of(grant.user_id, grant.user_kind),
        login=grant.login,
        effect=grant.effect,
        role=grant.role,
        permissions=list(grant.permissions),
        kind=grant.kind,
        workspace_id=grant.workspace_id or None,
        pattern=grant.pattern,
        reason=grant.reason,
        granted_by=grant.granted_by,
        created_at=grant.created_at,
        expires_at=grant.expires_at,
    )
