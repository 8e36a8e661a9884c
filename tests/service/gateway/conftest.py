"""The gateway over a running auth and two stand-ins that tell what reaches them."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from tests.service.auth.installation import Auth, fresh_database, started
from tests.service.auth.people import member
from tests.service.auth.people import set_password as put_password
from tests.service.gateway.front import Front, opened
from tests.service.gateway.passwords import MINE


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def auth(
    platform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Auth]:
    """A running auth, on a database of its own."""
    folder = tmp_path_factory.mktemp("gateway")
    async with (
        fresh_database(platform_environment, folder) as environment,
        started(environment) as found,
    ):
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def front(auth: Auth) -> AsyncIterator[Front]:
    """The gateway, hearing the broadcast."""
    async with opened(auth) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def alice(auth: Auth) -> str:
    """A member of the first tenant with a password; her login."""
    login = f"alice-{uuid4().hex[:12]}"
    _, token = await member(auth, login)
    await put_password(auth, token, MINE)
    return login
