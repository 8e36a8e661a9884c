"""Asks auth what ended: the feed that stands in for the broadcast."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from libs.common.access.asking import shown_secret
from libs.common.access.feed import PATH, Feed
from libs.common.errors import unavailable
from libs.common.http.calling import call
from libs.common.http.types import ASGIApp

_SECONDS: Final = 2.0


def asks_feed(secret: str, peers: Mapping[str, ASGIApp]) -> Callable[[int], Awaitable[Feed]]:
    """A question to auth among `peers`, which are looked up when it is asked."""
    header = ("authorization", shown_secret("gateway", secret))

    async def ask(after: int) -> Feed:
        auth = peers.get("auth")
        if auth is None:
            raise unavailable("The auth service has not started; try again.")
        query = urlencode({"after": after})
        reply = await call(auth, "GET", PATH, query=query, headers=[header], timeout=_SECONDS)
        if reply.status != 200:
            raise unavailable(f"auth answered {reply.status} to the question what was revoked.")
        try:
            return msgspec.json.decode(reply.body, type=Feed)
        except msgspec.MsgspecError as problem:
            raise unavailable("What was revoked cannot be read.") from problem

    return ask
