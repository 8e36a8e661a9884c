"""Every operation, asked by everybody who should not get through, on live things of another."""

import pytest
import pytest_asyncio

from tests.security.matrix.asks import ASKS
from tests.security.matrix.cells import Row
from tests.security.matrix.operations import asked
from tests.security.matrix.people import People
from tests.security.matrix.platform import Platform
from tests.security.matrix.things import Maker, Things, words_of

OPERATIONS = asked()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def things(platform: Platform, people: People) -> Things:
    """Live things of the owner's."""
    return await Maker(platform, people.owner).things()


def test_every_operation_has_its_row() -> None:
    """A new route comes with a request that the matrix asks."""
    assert set(ASKS) == set(OPERATIONS)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
async def test_nobody_gets_through_who_should_not(
    name: str, platform: Platform, people: People, things: Things
) -> None:
    ask = ASKS[name]
    # What is only looked at serves all rows, what is changed one.
    own = await Maker(platform, people.owner).things(words_of(ask)) if ask.kind == "act" else things
    cells = await Row(platform, people, OPERATIONS[name], ask).cells(own)
    faults = [f"{cell.who}: {cell.fault}" for cell in cells if cell.fault]
    assert not faults, "\n".join(faults)
