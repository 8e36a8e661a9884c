"""Our own REST on FastAPI: who calls, the running service, and what a route asks of the caller."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from libs.common.access.guard import insist_everywhere
from libs.common.access.permissions import PERMISSIONS
from libs.common.errors import denied
from libs.common.http.routes import PUBLIC, principal_of
from libs.common.principal import PRINCIPAL_HEADER, Principal
from libs.common.service import Running

OPERATE: Final = "platform.operate"


def running_of(request: Request) -> Running:
    """The service this request came to."""
    running: Running = request.app.state.running
    return running


async def caller_of(request: Request) -> Principal:
    """The verified caller with its rights; raises a 401 refusal where there is none."""
    return await principal_of(running_of(request), request.headers.get(PRINCIPAL_HEADER))


async def operator_of(request: Request) -> Principal:
    """The platform's operator; a 403 refusal for every member of a tenant, whatever its rights."""
    principal = await running_of(request).verifier.verify(request.headers.get(PRINCIPAL_HEADER))
    if not principal.is_operator:
        raise denied(
            "Tenants are managed by the platform's operator alone, with the operator's token; no"
            " role in a tenant allows it."
        )
    return principal


Caller = Annotated[Principal, Depends(caller_of)]
Operator = Annotated[Principal, Depends(operator_of)]
Here = Annotated[Running, Depends(running_of)]


def permission_of(request: Request) -> str:
    """The permission that a route was declared with as `on_resource`."""
    declared: str = request.scope["route"].openapi_extra["x-permission"]
    return declared


Permission = Annotated[str, Depends(permission_of)]


def on_resource(permission: str) -> dict[str, Any]:
    """Arguments of a FastAPI route that decides about one resource.

    Its handler takes the declared `Permission` and hands it to what decides, so that the two
    cannot differ; it stands in the OpenAPI document as `x-permission`.
    """
    assert permission in PERMISSIONS, permission
    return {"openapi_extra": {"x-permission": permission}}


def guarded(permission: str) -> dict[str, Any]:
    """Arguments of a FastAPI route that is for those who hold `permission` on the whole tenant.

    The permission stands in the OpenAPI document too, as `x-permission`.
    """
    assert permission in PERMISSIONS, permission
    return {
        "openapi_extra": {"x-permission": permission},
        "dependencies": [Depends(_insists(permission))],
    }


def for_operator() -> dict[str, Any]:
    """Arguments of a FastAPI route that is for the platform's operator and for no tenant's member.

    What it takes is no permission that a role or grant could give; `x-permission` names it.
    """
    return {
        "openapi_extra": {"x-permission": OPERATE},
        "dependencies": [Depends(operator_of)],
    }


def for_everyone() -> dict[str, Any]:
    """Arguments of a FastAPI route that asks for no login."""
    return {"openapi_extra": {"x-permission": PUBLIC, "security": []}}


def _insists(permission: str) -> Callable[[Principal], Awaitable[None]]:
    async def check(caller: Caller) -> None:
        insist_everywhere(caller, permission)

    return check
