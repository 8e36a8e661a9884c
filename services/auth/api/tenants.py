"""Tenants, for the platform's operator alone: make them, list them, change them."""

from fastapi import APIRouter

from libs.common.http.own import Here, Operator, for_operator
from services.auth.api.invitations import made_body
from services.auth.api.pages import MaxResults, PageToken, page
from services.auth.commands.tenants import (
    change_tenant,
    create_tenant,
    find_tenant,
    invite_owner,
)
from services.auth.model.members import Tenant
from services.auth.queries.tenants import tenants_page
from services.auth.schemas.members import MadeInvitationBody
from services.auth.schemas.tenants import (
    MadeTenantBody,
    NewOwnerBody,
    NewTenantBody,
    TenantBody,
    TenantChangeBody,
    TenantListBody,
)

router = APIRouter(prefix="/api/maestro/v1/tenants", tags=["tenants"])


@router.post("", status_code=201, **for_operator())
async def make_tenant(body: NewTenantBody, operator: Operator, running: Here) -> MadeTenantBody:
    """Make a tenant; the code that its first owner accepts is in this answer and nowhere else."""
    tenant, made = await create_tenant(
        running, operator, body.name, body.plan, body.owner, body.expires_in_days
    )
    return MadeTenantBody(tenant=_shown(tenant), owner=made_body(made))


@router.get("", **for_operator())
async def list_tenants(
    running: Here, max_results: MaxResults = 100, page_token: PageToken = ""
) -> TenantListBody:
    """The tenants of the platform."""
    async with running.database.reading() as connection:
        rows = await tenants_page(connection, page_token, max_results + 1)
    shown, last = page(rows, max_results)
    return TenantListBody(
        tenants=[_shown(row) for row in shown],
        next_page_token=None if last is None else last.name,
    )


@router.get("/{name}", **for_operator())
async def get_tenant(name: str, running: Here) -> TenantBody:
    """One tenant."""
    return _shown(await find_tenant(running, name))


@router.patch("/{name}", **for_operator())
async def patch_tenant(
    name: str, body: TenantChangeBody, operator: Operator, running: Here
) -> TenantBody:
    """Rename a tenant, put it on another plan, suspend it or resume it."""
    changed = await change_tenant(
        running, operator, name, new_name=body.name, plan=body.plan, status=body.status
    )
    return _shown(changed)


@router.post("/{name}/owners", status_code=201, **for_operator())
async def invite_tenant_owner(
    name: str, body: NewOwnerBody, operator: Operator, running: Here
) -> MadeInvitationBody:
    """Invite an owner of a tenant, where the first never came or cannot come back."""
    return made_body(await invite_owner(running, operator, name, body.login, body.expires_in_days))


def _shown(tenant: Tenant) -> TenantBody:
    return TenantBody(
        id=tenant.tenant_id,
        tenant_no=tenant.tenant_no,
        name=tenant.name,
        plan=tenant.plan,
        status=tenant.status,
        created_at=tenant.created_at,
    )
