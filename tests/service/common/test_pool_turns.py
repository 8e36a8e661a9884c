"""Whoever waits for a connection gets one in turn, however eager the others are."""

import asyncio

from libs.common.database.pool import Database, open_database
from libs.common.telemetry.tracing import open_tracing

SIZE = 2
EAGER = 8
ROUNDS = 100


async def test_connections_are_given_in_turn(platform_environment: dict[str, str]) -> None:
    asked: list[tuple[int, int]] = []
    got: list[tuple[int, int]] = []

    async def work(database: Database, number: int) -> None:
        for turn in range(ROUNDS):
            asked.append((number, turn))
            async with database._acquired() as connection:
                got.append((number, turn))
                await connection.execute("SELECT 1")
            for _ in range((number + turn) % 4):
                await asyncio.sleep(0)

    url = platform_environment["MAESTRO_POSTGRES_URL"]
    tracing = open_tracing("test", {})
    async with open_database(url, schema="public", size=SIZE, tracing=tracing) as database:
        await asyncio.gather(*(database.execute("SELECT pg_sleep(0.1)") for _ in range(SIZE)))
        await asyncio.gather(*(work(database, number) for number in range(EAGER)))
    assert got == asked
