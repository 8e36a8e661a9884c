"""Runs with so many points of a metric `m`, for measuring: ours through SQL, and `mlflow server`'s."""

from typing import Final
from uuid import UUID

import asyncpg

from tests.load.peer import Peer
from tests.serving import Client, new_tenant

_TIME: Final = 1_700_000_000_000
_RUNS: Final = """
INSERT INTO runs (tenant_no, experiment_id, run_id, workspace_id, start_time, status, name, user_id,
                  artifact_uri, created_by)
SELECT $1, 0, u, 1, 0, 'FINISHED', 'run', 'bench', '', 'bench' FROM unnest($2::uuid[]) AS u
RETURNING run_no
"""
# A flush: `$3` runs, `$4` keys, `$5` steps from `$6` on; a value a second, give or take a little.
_STORE: Final = """
SELECT store_points($1, array_agg(run_no), array_agg(key), array_agg(step),
                    array_agg($7 + step * 1000 + (random() * 50)::int8),
                    array_agg(exp(-step / 1e5) + random() / 10), NULL)
FROM unnest($2::int8[]) AS run_no, generate_series($3::int4, $4) AS key,
     generate_series($6::int8, $6::int8 + $5 - 1) AS step
"""
_THEIR_RUN: Final = """
INSERT INTO runs (run_uuid, name, source_type, source_name, user_id, status, start_time,
                  lifecycle_stage, artifact_uri, experiment_id)
VALUES ($1, 'run', 'LOCAL', '', '', 'FINISHED', 0, 'active', '', 0)
"""
_THEIR_POINTS: Final = """
INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
SELECT 'm', exp(-n / 1e5) + random() / 10, $2 + n * 1000 + (random() * 50)::int8, $1, n, false
FROM generate_series(0, $3::int8 - 1) AS n
"""


async def fresh_tenant(client: Client) -> Client:
    """A tenant that has the metric."""
    tenant = client.of(new_tenant())
    await tenant.get("experiments/get", "experiment_id=0")
    async with tenant.running.database.transaction(tenant.tenant.number) as connection:
        await connection.execute("SELECT numbers_of_keys($1, ARRAY['m'])", tenant.tenant.number)
    return tenant


async def made_runs(tenant: Client, runs: list[UUID]) -> list[int]:
    """Ended runs of these ids; their numbers."""
    number = tenant.tenant.number
    async with tenant.running.database.transaction(number) as connection:
        return [row["run_no"] for row in await connection.fetch(_RUNS, number, runs)]


async def fill(tenant: Client, runs: list[int], length: int) -> None:
    """Give each of the runs so many points, a second apart."""
    for first in range(0, length, 10_000):
        await store(tenant, runs, 1, min(10_000, length), first)


async def store(tenant: Client, runs: list[int], keys: int, steps: int, first: int) -> None:
    """One flush: so many steps of so many keys of each run."""
    number = tenant.tenant.number
    async with tenant.running.database.transaction(number) as connection:
        key = await connection.fetchval(
            "SELECT key_no FROM metric_keys WHERE tenant_no = $1 AND key = 'm'", number
        )
        await connection.execute(_STORE, number, runs, key, key + keys - 1, steps, first, _TIME)


async def their_run(other: Peer, run: UUID, length: int) -> None:
    """The same in the tables of `mlflow server`."""
    connection = await asyncpg.connect(other.database_url)
    try:
        await connection.execute(_THEIR_RUN, run.hex)
        await connection.execute(_THEIR_POINTS, run.hex, _TIME, length)
        await connection.execute("ANALYZE metrics")
    finally:
        await connection.close()
