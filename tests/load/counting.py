"""Counts what is committed, by SQL as the superuser, who alone sees past row level security."""

from collections.abc import Mapping, Sequence
from typing import Final

import asyncpg

from tests.load.operations import Site

# By where rows went: which of the bench's experiments that is, and whether they are runs or points.
PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "log-metric": ("metric", "points"),
    "log-batch": ("batch", "points"),
    "create-run": ("create", "runs"),
    "get-run": ("corpus", "points"),
}
_OUR_RUNS: Final = "SELECT count(*) FROM tracking.runs WHERE experiment_id = $1 AND tenant_no = 1"
_THEIR_RUNS: Final = "SELECT count(*) FROM runs WHERE experiment_id = $1"
_THEIR_POINTS: Final = """
    SELECT count(*) FROM metrics JOIN runs USING (run_uuid) WHERE experiment_id = $1"""
# How many points a row is, in each of our tables that holds any.
_POINTS: Final[Mapping[str, str]] = {"metric_points": "1", "metric_segments": "p.points"}
_SIZE: Final = """
    SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::int8 FROM pg_class
    WHERE relkind = 'r' AND oid::regclass::text = ANY ($1)"""


class Counting:
    """The counts of one server's rows; `ours` says by whose tables."""

    def __init__(self, url: str, *, ours: bool) -> None:
        self._url = url
        self._ours = ours

    async def committed(self, site: Site) -> dict[str, int]:
        """The rows that are there, by where they went."""
        connection = await asyncpg.connect(self._url)
        try:
            statements = {"runs": _THEIR_RUNS, "points": _THEIR_POINTS}
            found = {}
            if self._ours:
                points = await _our_points(connection)
                statements = {
                    "runs": _OUR_RUNS,
                    "points": _within(points, "r.experiment_id = $1 AND r.tenant_no = 1"),
                }
                others = _within(points, "r.tenant_no > $1")
                found["tenants"] = int(await connection.fetchval(others, 1))
            for place, (experiment, kind) in PLACES.items():
                number = int(site.experiments[experiment])
                found[place] = int(await connection.fetchval(statements[kind], number))
            return found
        finally:
            await connection.close()

    async def bytes_each(self) -> float:
        """Bytes on disk of a metric point, with everything that its tables and indexes hold."""
        connection = await asyncpg.connect(self._url)
        try:
            tables, every = ["metrics"], "SELECT count(*) FROM metrics"
            if self._ours:
                points = await _our_points(connection)
                tables = [f"tracking.{table}" for table in points]
                every = _within(points, "true")
            size = int(await connection.fetchval(_SIZE, await _parts_of(connection, tables)))
            return size / max(1, int(await connection.fetchval(every)))
        finally:
            await connection.close()


async def _our_points(connection: "asyncpg.Connection") -> Mapping[str, str]:
    """Those of our tables of points that are there."""
    found = await connection.fetch(
        "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass('tracking.' || name) IS NOT NULL",
        list(_POINTS),
    )
    return {row["name"]: _POINTS[row["name"]] for row in found}


async def _parts_of(connection: "asyncpg.Connection", tables: Sequence[str]) -> list[str]:
    """The tables, and their partitions where they have any."""
    rows = await connection.fetch(
        "SELECT relid::text AS name FROM unnest($1::text[]) AS t, pg_partition_tree(t::regclass)"
        " UNION SELECT t::regclass::text FROM unnest($1::text[]) AS t",
        list(tables),
    )
    return [row["name"] for row in rows]


def _within(points: Mapping[str, str], condition: str) -> str:
    """A statement that counts our points whose run meets a condition."""
    counts = [
        f"""(SELECT coalesce(sum({each}), 0) FROM tracking.{table} p
        JOIN tracking.runs r USING (tenant_no, run_no) WHERE {condition})"""
        for table, each in points.items()
    ]
    return f"SELECT ({' + '.join(counts)})::int8"


async def analyze(url: str) -> None:
    """Give the planner its statistics, as the server's own housekeeping would after a while."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
