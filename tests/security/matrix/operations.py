"""Every operation that the gateway lets through, read from what the services declare."""

from dataclasses import dataclass
from typing import Final

from fastapi.routing import APIRoute

from libs.common.http.own import OPERATE
from libs.common.http.routes import PUBLIC
from services import all_services
from services.tracking.api import pages
from tools.contracts.surfaces import surfaces

# Operations that hold nothing of anybody's, each for a reason.
LEFT_OUT: Final[dict[str, str]] = {
    "server_info": "answered without a login, the same for everybody",
    "version": "answered without a login, the same for everybody",
    "published_keys": "public keys; the gateway has no route to it",
    "exchange_token": "between services; the gateway has no route to it",
    "tell_access": "between services; the gateway has no route to it",
    "tell_revocations": "between services; the gateway has no route to it",
    "workspace_contents": "between services; the gateway has no route to it",
    "upload_part": "the capability that mpu/create gives is the credential",
    "presign_upload": "refused to whoever may write, as nobody is given such a URL",
    "start_session": "between services; the gateway has no route to it",
    "start_session_of_link": "between services; the gateway has no route to it",
    "finish_session": "between services; the gateway has no route to it",
    "accept": "for those who are not members yet: the code is the credential",
    "join_by_code": "for members of other tenants: the code is the credential",
    **{
        route.name: "the same for everybody who is signed in: there is none of it"
        for route in pages.routes.all
    },
}
# MLflow's own users and roles are answered with what replaces them, to everybody alike.
_REPLACED: Final = "mlflow_"


@dataclass(frozen=True)
class Operation:
    """Its handler's name, its service, its method and path, and the permission it declares."""

    name: str
    service: str
    method: str
    path: str
    permission: str


def declared() -> dict[str, Operation]:
    """All operations by name, those of the platform's operator too."""
    found: list[Operation] = []
    for surface in surfaces(all_services()):
        found += [
            Operation(one.name, surface.service, one.method, one.paths[0], one.permission)
            for one in surface.routes
        ]
        for router in surface.routers:
            found += [
                _own(surface.service, one) for one in router.routes if isinstance(one, APIRoute)
            ]
    return {operation.name: operation for operation in found}


def asked() -> dict[str, Operation]:
    """The operations that the matrix asks: all but those that hold nothing of anybody's."""
    return {
        name: operation
        for name, operation in declared().items()
        if name not in LEFT_OUT
        and not name.startswith(_REPLACED)
        and operation.permission not in (PUBLIC, OPERATE)
    }


def _own(service: str, route: APIRoute) -> Operation:
    declared = (route.openapi_extra or {}).get("x-permission", "")
    return Operation(route.name, service, min(route.methods or ()), route.path, declared)
