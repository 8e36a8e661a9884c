"""Signing in on the web pages: sessions for the gateway, and links that begin one.

The gateway alone reaches what makes and ends sessions, as it keeps them in a cookie; it has no route
to those paths.
"""

from typing import Final

import msgspec
from fastapi import APIRouter

from libs.common.errors import unauthenticated
from libs.common.http.own import Caller, Here, guarded
from libs.common.http.routes import PUBLIC, Call, Routes
from services.auth.api.clients import client_of
from services.auth.commands.sessions import begin_session, end_session, make_link, use_link
from services.auth.commands.tokens import IssuedToken
from services.auth.model.credential import CredentialRefused
from services.auth.schemas.sessions import LinkBody
from services.auth.state import State

# Whoever shows a credential may sign in with it: a route that reads is not refused beforehand.
_ANYBODY: Final = "workspace.read"
_GATEWAY: Final = "gateway"
router = APIRouter(prefix="/api/maestro/v1/sign-in-links", tags=["sessions"])
routes: Final = Routes()


class UsedLink(msgspec.Struct, frozen=True):
    """The secret of a link, and the address it is used from."""

    link: str = ""
    address: str = ""


@router.post("", status_code=201, **guarded("token.own"))
async def create_sign_in_link(caller: Caller, running: Here) -> LinkBody:
    """Make a link that signs you in on the web pages, once and soon."""
    made = await make_link(running, caller)
    return LinkBody(
        path=f"/sign-in#link={made.secret}",
        id=made.stored.token_id,
        expires_at=made.stored.expires_at,
    )


@routes.plain("POST", "/internal/sessions", permission=_ANYBODY)
async def start_session(call: Call) -> object:
    """A session for whoever showed the gateway a credential just now."""
    return _told(await begin_session(call.running, call.principal))


@routes.plain("POST", "/internal/sessions/end", permission=_ANYBODY)
async def finish_session(call: Call) -> object:
    """End the session that is in use."""
    await end_session(call.running, call.principal)
    return {}


@routes.plain("POST", "/internal/sessions/of-link", permission=PUBLIC)
async def start_session_of_link(call: Call, body: UsedLink) -> object:
    """The session that a link begins, for the gateway, which shows its own secret."""
    state: State = call.running.state
    if client_of(call.request, state.clients) != _GATEWAY:
        raise unauthenticated("Unknown client or wrong secret.")
    try:
        return _told(await use_link(call.running, body.link, body.address))
    except CredentialRefused as refused:
        raise unauthenticated(f"The link is not accepted: {refused}.") from None


def _told(session: IssuedToken) -> dict[str, object]:
    stored = session.stored
    seconds = (stored.expires_at - stored.created_at).total_seconds()
    return {"session": session.secret, "expires_in": int(seconds)}
