"""Our own REST on FastAPI: who calls, the running service, and what a route asks of the caller."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Request

from libs.common.access.guard import insist_everywhere
from libs.common.access.permissions import PERMISSIONS
from libs.common.http.routes import principal_of
from libs.common.principal import Principal
from libs.common.service import Running


def running_of(request: Request) -> Running:
    """The service this request came to."""
    running: Running = request.app.state.running
    return running


async def caller_of(request: Request) -> Principal:
    """The verified caller with its rights; raises a 401 refusal where there is none."""
    return await principal_of(running_of(request), request.headers)


Caller = Annotated[Principal, Depends(caller_of)]
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


def _insists(permission: str) -> Callable[[Principal], Awaitable[None]]:
    async def check(caller: Caller) -> None:
        insist_everywhere(caller, permission)

    return check
