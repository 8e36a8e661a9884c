"""The members of the caller's tenant: see them, suspend, resume and remove them."""

from typing import Literal

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, guarded
from services.auth.api.pages import MaxResults, PageToken, page
from services.auth.commands.members import remove_member, resume_member, suspend_member
from services.auth.model.members import Member
from services.auth.queries.members import find_member, members_page
from services.auth.schemas.members import MemberBody, MemberListBody

router = APIRouter(prefix="/api/maestro/v1/members", tags=["members"])


@router.get("", **guarded("member.read"))
async def list_members(
    caller: Caller,
    running: Here,
    kind: Literal["person", "service"] | None = None,
    max_results: MaxResults = 100,
    page_token: PageToken = "",
) -> MemberListBody:
    """The members of your tenant, service accounts too."""
    async with running.database.reading(caller.tenant_no) as connection:
        rows = await members_page(
            connection, caller.tenant_no, page_token, max_results + 1, kind or ""
        )
    shown, last = page(rows, max_results)
    return MemberListBody(
        members=[member_body(row) for row in shown],
        next_page_token=None if last is None else last.login,
    )


@router.get("/{user}", **guarded("member.read"))
async def get_member(user: str, caller: Caller, running: Here) -> MemberBody:
    """One member, by login, id or subject (`user:…`, `service:…`)."""
    async with running.database.reading(caller.tenant_no) as connection:
        return member_body(await find_member(connection, caller.tenant_no, user))


@router.post("/{user}/suspend", **guarded("member.manage"))
async def suspend(user: str, caller: Caller, running: Here) -> MemberBody:
    """Let a member do nothing, at once and everywhere, until it is resumed."""
    return member_body(await suspend_member(running, caller, user))


@router.post("/{user}/resume", **guarded("member.manage"))
async def resume(user: str, caller: Caller, running: Here) -> MemberBody:
    """Let a suspended member act again, with the tokens it had."""
    return member_body(await resume_member(running, caller, user))


@router.delete("/{user}", status_code=204, **guarded("member.manage"))
async def remove(user: str, caller: Caller, running: Here) -> None:
    """End a membership: its tokens end and its grants go; what it made stays with the tenant."""
    await remove_member(running, caller, user)


def member_body(member: Member) -> MemberBody:
    """A member as it is shown."""
    return MemberBody(
        id=member.user_id,
        subject=member.subject,
        login=member.login,
        display_name=member.display_name,
        kind=member.kind,
        role=member.role,
        status=member.status,
        joined_at=member.joined_at,
        last_used_at=member.last_used_at,
    )
