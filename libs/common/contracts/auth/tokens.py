"""Facts of auth about tokens."""

from typing import Final

import msgspec

from libs.common.contracts.topic import Topic


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A service token without its secret; times are milliseconds since 1970.

    `scopes` is what it may be used for, `networks` where from, anywhere when empty; `rotated_from`
    is the token whose place it took. Its `kind` is `token`, `session` where somebody signed in on
    the web pages, or `link` with which one signs in there once.
    """

    token_id: str
    name: str
    subject: str
    expires_at: int | None = None
    scopes: list[str] = []
    networks: list[str] = []
    rotated_from: str | None = None
    kind: str = "token"


class TokenIssued(msgspec.Struct, frozen=True, kw_only=True):
    """A token was made."""

    version: int
    token: Token


class TokenChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A token's end was brought forward, as another took its place."""

    version: int
    token: Token


class TokenRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """A token ended before its time; whoever caches its principal drops it now."""

    version: int
    token: Token


class TokenSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A living token as it stands, told again on request."""

    version: int
    token: Token


def _token_key(fact: TokenIssued) -> str:
    return fact.token.token_id


TOKENS: Final = Topic(
    "auth.token.v1",
    {
        "issued": TokenIssued,
        "changed": TokenChanged,
        "revoked": TokenRevoked,
        "snapshot": TokenSnapshot,
    },
    _token_key,
)
