"""Service accounts of the caller's tenant, and tokens for them."""

from fastapi import APIRouter

from libs.common.errors import missing
from libs.common.http.own import Caller, Here, guarded
from libs.common.principal import Principal
from libs.common.service import Running
from services.auth.api.members import member_body
from services.auth.api.pages import MaxResults, PageToken, page
from services.auth.api.tokens import issued_body, wanted_of
from services.auth.commands.members import remove_member, resume_member, suspend_member
from services.auth.commands.service_accounts import add_service_account, issue_account_token
from services.auth.queries.members import account_subject, members_page
from services.auth.schemas.members import MemberBody, MemberListBody, NewServiceAccountBody
from services.auth.schemas.tokens import IssuedTokenBody, NewTokenBody

router = APIRouter(prefix="/api/maestro/v1/service-accounts", tags=["service accounts"])


@router.post("", status_code=201, **guarded("token.manage"))
async def create_service_account(
    body: NewServiceAccountBody, caller: Caller, running: Here
) -> MemberBody:
    """Make a service account; its login is `<tenant>/<name>`."""
    return member_body(
        await add_service_account(running, caller, body.name, body.role, body.description)
    )


@router.get("", **guarded("member.read"))
async def list_service_accounts(
    caller: Caller, running: Here, max_results: MaxResults = 100, page_token: PageToken = ""
) -> MemberListBody:
    """The service accounts of your tenant."""
    async with running.database.reading(caller.tenant_no) as connection:
        rows = await members_page(
            connection, caller.tenant_no, page_token, max_results + 1, "service"
        )
    shown, last = page(rows, max_results)
    return MemberListBody(
        members=[member_body(row) for row in shown],
        next_page_token=None if last is None else last.login,
    )


@router.post("/{name}/suspend", **guarded("token.manage"))
async def suspend_service_account(name: str, caller: Caller, running: Here) -> MemberBody:
    """Let a service account do nothing until it is resumed."""
    return member_body(await suspend_member(running, caller, await _named(running, caller, name)))


@router.post("/{name}/resume", **guarded("token.manage"))
async def resume_service_account(name: str, caller: Caller, running: Here) -> MemberBody:
    """Let a suspended service account act again."""
    return member_body(await resume_member(running, caller, await _named(running, caller, name)))


@router.delete("/{name}", status_code=204, **guarded("token.manage"))
async def delete_service_account(name: str, caller: Caller, running: Here) -> None:
    """Remove a service account with its tokens and grants; another may have its name then."""
    await remove_member(running, caller, await _named(running, caller, name))


@router.post("/{name}/tokens", status_code=201, **guarded("token.manage"))
async def create_service_account_token(
    name: str, body: NewTokenBody, caller: Caller, running: Here
) -> IssuedTokenBody:
    """Make a token for a service account; its secret is in this answer and nowhere else."""
    account = await _named(running, caller, name)
    return issued_body(await issue_account_token(running, caller, account, wanted_of(body)))


async def _named(running: Running, caller: Principal, name: str) -> str:
    """The subject of the service account with a name; a refusal where there is none."""
    async with running.database.reading(caller.tenant_no) as connection:
        subject = await account_subject(connection, caller.tenant_no, name)
    if subject is None:
        raise missing(f"Service account {name!r} not found")
    return subject
