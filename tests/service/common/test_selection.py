"""A selection means the same in memory and in SQL, whatever the names and prefixes are."""

from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest_asyncio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from libs.common.access.selection import (
    EVERYTHING,
    NOTHING,
    Names,
    Selection,
    merged,
    pattern,
    predicate,
    predicate_values,
)

ASK = (
    "SELECT u.name, u.owner FROM unnest($1::text[], $2::text[]) AS u (name, owner) WHERE "
    + predicate("u.name", "u.owner", 3)
)
# Few letters, so that names meet prefixes: wildcards of LIKE, and the ends of ranges of code points.
LETTERS = st.sampled_from("aA%_/*\\ é\ud7ff\ue000\uffff\U00010000\U0010ffff")
NAMES = st.text(LETTERS, max_size=4)
PATTERNS = st.one_of(NAMES.map(lambda text: f"{text}*"), NAMES, st.just("*"))
SETS = st.lists(PATTERNS, max_size=6).map(lambda texts: merged([pattern(text) for text in texts]))
OWNERS = st.sampled_from(["", "user:a", "user:b"])
SELECTIONS = st.builds(
    Selection,
    allowed=SETS,
    denied=st.one_of(st.just(NOTHING), SETS),
    within=st.one_of(st.just(EVERYTHING), SETS),
    owner=OWNERS,
)
LAST = "\U0010ffff"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(platform_environment: Mapping[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the embedded PostgreSQL."""
    connection = await asyncpg.connect(platform_environment["MAESTRO_POSTGRES_URL"])
    try:
        yield connection
    finally:
        await connection.close()


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(
    selection=Selection(Names(prefixes=(LAST,)), NOTHING, EVERYTHING, ""),
    resources=[(LAST, ""), (LAST * 2, ""), ("a", "")],
)
@example(
    selection=Selection(merged([pattern("a*"), pattern("b*")]), NOTHING, EVERYTHING, ""),
    resources=[("", ""), ("a", ""), ("az", ""), ("b", ""), ("c", ""), ("A", "")],
)
@example(
    selection=Selection(EVERYTHING, NOTHING, EVERYTHING, ""), resources=[("", ""), ("%", "user:a")]
)
@given(selection=SELECTIONS, resources=st.lists(st.tuples(NAMES, OWNERS), max_size=20))
async def test_the_predicate_selects_what_the_selection_covers(
    database: asyncpg.Connection, selection: Selection, resources: list[tuple[str, str]]
) -> None:
    rows = await database.fetch(
        ASK,
        [name for name, _ in resources],
        [owner for _, owner in resources],
        *predicate_values(selection),
    )
    found = sorted((row["name"], row["owner"]) for row in rows)
    assert found == sorted(each for each in resources if selection.covers(*each))


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=SETS, name=NAMES)
async def test_ranges_hold_what_begins_with_a_prefix(
    database: asyncpg.Connection, names: Names, name: str
) -> None:
    ranges = [(low, high) for low, high in names.ranges if high]
    found = await database.fetchval(
        """
        SELECT EXISTS (SELECT FROM unnest($1::text[], $2::text[]) AS b (low, high)
                       WHERE $3::text COLLATE "C" >= b.low AND $3::text COLLATE "C" < b.high)
        """,
        *([low for low, _ in ranges], [high for _, high in ranges], name),
    )
    endless = tuple(low for low, high in names.ranges if not high)
    assert (found or name.startswith(endless)) == name.startswith(names.prefixes)
