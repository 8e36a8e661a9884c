"""What a subject may do, told to the services that decide; the gateway has no route to it."""

import msgspec
from msgspec.structs import replace

from libs.common.access.asking import PATH
from libs.common.access.authority import Told
from libs.common.errors import unauthenticated
from libs.common.http.routes import PUBLIC, Call, Routes
from services.auth.api.clients import client_of
from services.auth.queries.access import told_of
from services.auth.state import State

routes = Routes()


class Question(msgspec.Struct, frozen=True):
    """Whose access is asked for."""

    tenant_no: int
    subject: str


@routes.plain("GET", PATH, permission=PUBLIC)
async def tell_access(call: Call, body: Question) -> Told:
    """A subject's rules and their version, for a service that shows its own secret.

    Where a rule comes from stays here: others only decide by it, and keep it for many subjects.
    """
    state: State = call.running.state
    if client_of(call.request, state.clients) is None:
        raise unauthenticated("Unknown client or wrong secret.")
    told = await told_of(call.running.database, body.tenant_no, body.subject)
    rules = [replace(rule, rule_id="", because="") for rule in told.access.rules]
    return Told(version=told.version, access=replace(told.access, rules=rules))
