"""What ended lately, told to gateways; the gateway itself has no route to it."""

import msgspec

from libs.common.access.feed import PATH, Feed
from libs.common.errors import unauthenticated
from libs.common.http.routes import PUBLIC, Call, Routes
from services.auth.api.clients import client_of
from services.auth.queries.revocations import ended_after
from services.auth.state import State

routes = Routes()


class Question(msgspec.Struct, frozen=True):
    """After which number; 0 asks for all that is kept."""

    after: int = 0


@routes.plain("GET", PATH, permission=PUBLIC)
async def tell_revocations(call: Call, body: Question) -> Feed:
    """What ended after a number, for a service that shows its own secret."""
    state: State = call.running.state
    if client_of(call.request, state.clients) is None:
        raise unauthenticated("Unknown client or wrong secret.")
    return await ended_after(call.running.database, body.after)
