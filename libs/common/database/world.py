"""Which errors speak of the world (wait and try again) and which of the request (give up)."""

from typing import Final

import asyncpg

# Also what a login is refused with: while a password is changed, requests wait as they do while
# the server restarts, and no message is given up for it.
WORLD_ERRORS: Final[tuple[type[BaseException], ...]] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.InternalClientError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
)


def is_world(problem: BaseException) -> bool:
    """Whether a database error may pass by itself."""
    if isinstance(problem, ValueError):  # asyncpg: an argument that its column cannot hold
        return False
    return isinstance(problem, WORLD_ERRORS)


def is_lock(problem: BaseException | None) -> bool:
    """Whether a statement was given up for what another transaction holds."""
    return isinstance(problem, asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError)
