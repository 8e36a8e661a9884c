"""Invitations: make them, list them, take them back, accept them."""

from uuid import UUID

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, for_everyone, guarded
from services.auth.api.pages import FIRST_ID, MaxResults, PageTokenId, page
from services.auth.commands.acceptance import accept_invitation, join_tenant
from services.auth.commands.invitations import (
    MadeInvitation,
    make_invitation,
    revoke_invitation,
)
from services.auth.model.invitations import Invited
from services.auth.model.members import Member
from services.auth.queries.invitations import invitations_page
from services.auth.schemas.members import (
    AcceptanceBody,
    InvitationBody,
    InvitationListBody,
    JoinedBody,
    JoiningBody,
    MadeInvitationBody,
    NewInvitationBody,
)
from services.auth.state import State

PATH = "/api/maestro/v1/invitations"
router = APIRouter(prefix=PATH, tags=["invitations"])


@router.post("", status_code=201, **guarded("member.manage"))
async def invite_member(
    body: NewInvitationBody, caller: Caller, running: Here
) -> MadeInvitationBody:
    """Invite somebody as a member; the code is in this answer and nowhere else."""
    made = await make_invitation(running, caller, body.login, body.role, body.expires_in_days)
    return made_body(made)


@router.get("", **guarded("member.read"))
async def list_invitations(
    caller: Caller,
    running: Here,
    max_results: MaxResults = 100,
    page_token: PageTokenId = FIRST_ID,
) -> InvitationListBody:
    """The tenant's invitations, those that ended too; never their codes."""
    async with running.database.reading(caller.tenant_no) as connection:
        rows = await invitations_page(connection, caller.tenant_no, page_token, max_results + 1)
    shown, last = page(rows, max_results)
    return InvitationListBody(
        invitations=[_shown(row) for row in shown],
        next_page_token=None if last is None else str(last.invitation_id),
    )


@router.delete("/{invitation_id}", status_code=204, **guarded("member.manage"))
async def take_back(invitation_id: UUID, caller: Caller, running: Here) -> None:
    """Take an invitation back; doing it twice is no error."""
    await revoke_invitation(running, caller, invitation_id)


@router.post("/accept", **for_everyone())
async def accept(body: AcceptanceBody, running: Here) -> JoinedBody:
    """Become a member by a code, without being signed in.

    A new login gets the password that is given. A known one shows its own, or signs in and joins
    with `POST /api/maestro/v1/invitations/join`.
    """
    state: State = running.state
    password = None if body.password is None else body.password.get_secret_value()
    name = body.display_name.strip()
    return _joined(*await accept_invitation(running, state.passwords, body.code, password, name))


@router.post("/join", **guarded("token.own"))
async def join_by_code(body: JoiningBody, caller: Caller, running: Here) -> JoinedBody:
    """Become a member of one more tenant, signed in as the login that was invited."""
    return _joined(*await join_tenant(running, caller, body.code))


def made_body(made: MadeInvitation) -> MadeInvitationBody:
    """A new invitation, with its code."""
    return MadeInvitationBody(
        invitation=_shown(made.invited), code=made.code, accept=f"POST {PATH}/accept"
    )


def _shown(invited: Invited) -> InvitationBody:
    return InvitationBody(
        id=invited.invitation_id,
        login=invited.login,
        role=invited.role,
        made_by=invited.made_by,
        status=invited.status,
        created_at=invited.created_at,
        expires_at=invited.expires_at,
    )


def _joined(invited: Invited, member: Member) -> JoinedBody:
    return JoinedBody(
        tenant=invited.tenant, login=member.login, subject=member.subject, role=member.role
    )
