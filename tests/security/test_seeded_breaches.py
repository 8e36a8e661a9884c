"""A hole in any wall turns the matrix red; without a hole the same cells are well."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from libs.embedded import Parts
from libs.embedded.environment import as_user
from tests.security.matrix.asks import ASKS
from tests.security.matrix.breaches import BREACHES, Breach, breached, without_memory
from tests.security.matrix.cells import Cell, Row
from tests.security.matrix.operations import asked
from tests.security.matrix.people import People
from tests.security.matrix.platform import Platform
from tests.security.matrix.things import Maker, Things

OPERATIONS = asked()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def superuser(platform: Platform, parts: Parts) -> AsyncIterator[asyncpg.Connection]:
    """Whoever may change policies and functions."""
    password = parts.home.secret("postgres-superuser")
    url = as_user(platform.environment["MAESTRO_POSTGRES_URL"], "postgres", password)
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def cell_of(platform: Platform, people: People, breach: Breach, things: Things) -> Cell:
    """The cell in which a breach must show, asked without what was known before."""
    await without_memory(list(platform.values.values()))
    # The owner is in every cache before anybody else asks.
    run = things.filled(ASKS["get_run"].query)
    reply = await platform.ask(people.owner, "GET", ASKS["get_run"].path, run)
    assert reply.status == 200
    row = Row(platform, people, OPERATIONS[breach.row], ASKS[breach.row])
    (cell,) = await row.cells(things, (breach.column,))
    return cell


def test_there_are_twenty() -> None:
    assert len({breach.name for breach in BREACHES}) == 20


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: breach.name)
async def test_a_breach_shows(
    breach: Breach, platform: Platform, people: People, superuser: asyncpg.Connection
) -> None:
    maker = Maker(platform, people.owner)
    whole = await cell_of(platform, people, breach, await maker.things())
    assert whole.fault == ""
    things = await maker.things()
    async with breached(superuser, breach):
        cell = await cell_of(platform, people, breach, things)
    await without_memory(list(platform.values.values()))
    assert cell.fault != ""
