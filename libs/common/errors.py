"""Refusals: the answers a request can get instead of a result, in MLflow's vocabulary of codes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "BAD_REQUEST": 400,
        "INVALID_PARAMETER_VALUE": 400,
        "RESOURCE_ALREADY_EXISTS": 400,
        "UNAUTHENTICATED": 401,
        "PERMISSION_DENIED": 403,
        "RESOURCE_DOES_NOT_EXIST": 404,
        "ENDPOINT_NOT_FOUND": 404,
        "NOT_FOUND": 404,
        "RESOURCE_CONFLICT": 409,
        "RESOURCE_EXHAUSTED": 429,
        "INTERNAL_ERROR": 500,
        "NOT_IMPLEMENTED": 501,
        "TEMPORARILY_UNAVAILABLE": 503,
        "DEADLINE_EXCEEDED": 504,
    }
)


class Refusal(Exception):
    """A request that is answered with an error the caller can act on.

    `code` is one of MLflow's error codes, `status` the HTTP status it travels with, `retry_after`
    whole seconds after which the same request may succeed. One that `closes` is the connection's
    last answer: the rest of its request is not read.
    """

    def __init__(
        self, code: str, message: str, *, status: int | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        # It may quote the request, and an unpaired surrogate could not be written out.
        self.message = message.encode(errors="replace").decode()
        self.status = STATUS[code] if status is None else status
        self.retry_after = retry_after
        self.closes = False


def invalid(message: str) -> Refusal:
    """The request names something that can never be accepted: 400."""
    return Refusal("INVALID_PARAMETER_VALUE", message)


def missing(message: str) -> Refusal:
    """Not there, or not there for this caller; both read the same: 404."""
    return Refusal("RESOURCE_DOES_NOT_EXIST", message)


def exists(message: str) -> Refusal:
    """Already taken: 400, as MLflow answers."""
    return Refusal("RESOURCE_ALREADY_EXISTS", message)


def denied(message: str) -> Refusal:
    """The caller may see it and may not do this: 403."""
    return Refusal("PERMISSION_DENIED", message)


def unauthenticated(message: str) -> Refusal:
    """No credential, or one that is not accepted: 401."""
    return Refusal("UNAUTHENTICATED", message)


def unavailable(message: str, *, retry_after: int = 1) -> Refusal:
    """A part we need is away for now: 503 with Retry-After."""
    return Refusal("TEMPORARILY_UNAVAILABLE", message, retry_after=retry_after)


def too_large(message: str) -> Refusal:
    """The body passes the limit of its route: 413."""
    return Refusal("INVALID_PARAMETER_VALUE", message, status=413)


def late(message: str) -> Refusal:
    """The client left us waiting for its body: 408, which MLflow's client tries again."""
    return Refusal("DEADLINE_EXCEEDED", message, status=408)
