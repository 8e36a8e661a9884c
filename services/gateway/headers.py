"""What passes from a client to a service: everything but identity, credentials and framing."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from libs.common.http.types import header
from libs.common.principal import PRINCIPAL_HEADER

Headers = list[tuple[bytes, bytes]]

# Of one connection only (RFC 9110, 7.6.1), with the ones that are older than the rule. A request
# keeps Transfer-Encoding until its last hop: without a length it is all that tells of a body.
_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"expect",  # the gateway's own server has answered it
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"upgrade",
        b"http2-settings",
    }
)
# The credential has done its duty here, and what a proxy says of identity is not to be believed.
_IDENTITY: Final = frozenset(
    {
        b"authorization",
        b"cookie",
        b"forwarded",
        b"via",
        b"remote-user",
        b"x-real-ip",
        b"x-mlflow-workspace",
        b"x-original-url",
        b"x-rewrite-url",
        b"x-http-method-override",
    }
)
_IDENTITY_PREFIXES: Final = (
    b"x-maestro-",
    b"x-forwarded-",
    b"x-auth-",
    b"x-remote-",
    b"x-client-cert",
    b"x-ssl-",
    b"x-amzn-oidc-",
    b"x-goog-iap-",
    b"x-goog-authenticated-",
    b"x-ms-client-principal",
)
# Set by the server that sends the answer, which is the gateway's.
_OF_THE_SERVER: Final = frozenset({*_HOP_BY_HOP, b"transfer-encoding", b"date", b"server"})
_PRINCIPAL: Final = PRINCIPAL_HEADER.encode()


@lru_cache(maxsize=1024)
def _passes(name: bytes) -> bool:
    # Some servers read `x_maestro_principal` as `x-maestro-principal`.
    plain = name.lower().replace(b"_", b"-")
    if plain in _HOP_BY_HOP or plain in _IDENTITY:
        return False
    return not plain.startswith(_IDENTITY_PREFIXES)


def passed_on(headers: Iterable[tuple[bytes, bytes]], principal: bytes | None) -> Headers:
    """The headers of a request as its service gets them; `principal` is the only identity."""
    kept = [pair for pair in headers if _passes(pair[0])]
    named = _named_by_connection(headers)
    if named:
        kept = [pair for pair in kept if pair[0] not in named]
    if principal is not None:
        kept.append((_PRINCIPAL, principal))
    return kept


def passed_back(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers of an answer as the client gets them: without those of another connection."""
    return [pair for pair in headers if pair[0] not in _OF_THE_SERVER]


# Framing is the server's business; a client must not have it dropped by naming it.
_NEVER_NAMED: Final = frozenset(
    {b"content-length", b"transfer-encoding", b"content-type", b"host", b"close"}
)


def _named_by_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    value = header(headers, b"connection")
    if value is None or value in (b"keep-alive", b"close", b"Keep-Alive"):
        return frozenset()
    names = frozenset(name.strip().lower() for name in value.split(b","))
    return names - _NEVER_NAMED
