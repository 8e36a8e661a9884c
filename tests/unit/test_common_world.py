"""A bad world is told from a bad request: the one is waited for, the other is refused."""

import asyncpg
import pytest

from libs.common.database.world import is_world

WORLD = [
    asyncpg.InvalidPasswordError("password authentication failed"),
    asyncpg.InvalidAuthorizationSpecificationError("role is not permitted to log in"),
    asyncpg.InvalidCatalogNameError("the database is not there"),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.AdminShutdownError("terminating connection"),
    asyncpg.TooManyConnectionsError("sorry, too many clients"),
    asyncpg.DiskFullError("no space left on device"),
    asyncpg.DeadlockDetectedError("deadlock"),
    asyncpg.InterfaceError("connection is closed"),
    ConnectionRefusedError("nobody listens"),
    TimeoutError("no connection is free"),
]
REQUEST = [
    asyncpg.UniqueViolationError("twice"),
    asyncpg.CheckViolationError("not allowed"),
    asyncpg.CharacterNotInRepertoireError("a zero byte"),
]


@pytest.mark.parametrize("problem", WORLD, ids=lambda problem: type(problem).__name__)
def test_what_may_pass_by_itself_is_waited_for(problem: BaseException) -> None:
    assert is_world(problem)


@pytest.mark.parametrize("problem", REQUEST, ids=lambda problem: type(problem).__name__)
def test_what_the_request_is_to_blame_for_is_not(problem: BaseException) -> None:
    assert not is_world(problem)


def test_an_argument_that_no_column_can_hold_is_the_requests_fault() -> None:
    class BadArgumentError(asyncpg.InterfaceError, ValueError):  # type: ignore[misc]
        """What asyncpg raises before it sends anything."""

    assert not is_world(BadArgumentError("value out of int64 range"))
