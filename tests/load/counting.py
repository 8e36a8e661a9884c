"""Counts what is committed, by SQL as the superuser, who alone sees past row level security."""

from collections.abc import Mapping
from typing import Final

import asyncpg

# Points lie in rows of their own, or many in a segment.
_POINTS: Final = """
    SELECT (SELECT count(*) FROM tracking.metric_points
            JOIN tracking.runs r USING (tenant_no, run_no) WHERE r.experiment_id = $1)
         + (SELECT coalesce(sum(points), 0)::int8 FROM tracking.metric_segments
            JOIN tracking.runs r USING (tenant_no, run_no) WHERE r.experiment_id = $1)"""
# By operation: the committed rows of an experiment, in our schema and in that of `mlflow server`.
OURS: Final[Mapping[str, str]] = {
    "log-metric": _POINTS,
    "log-batch": _POINTS,
    "create-run": "SELECT count(*) FROM tracking.runs WHERE experiment_id = $1",
}
THEIRS: Final[Mapping[str, str]] = {
    "log-metric": """
        SELECT count(*) FROM metrics JOIN runs USING (run_uuid) WHERE experiment_id = $1""",
    "log-batch": """
        SELECT count(*) FROM metrics JOIN runs USING (run_uuid) WHERE experiment_id = $1""",
    "create-run": "SELECT count(*) FROM runs WHERE experiment_id = $1",
}
# Which of the bench's experiments an operation writes to.
EXPERIMENT_OF: Final = {"log-metric": "metric", "log-batch": "batch", "create-run": "create"}


async def committed(
    url: str, statements: Mapping[str, str], experiments: Mapping[str, str]
) -> dict[str, int]:
    """The rows that each writing operation left, in the database at `url`."""
    connection = await asyncpg.connect(url)
    try:
        return {
            operation: await connection.fetchval(sql, int(experiments[EXPERIMENT_OF[operation]]))
            for operation, sql in statements.items()
        }
    finally:
        await connection.close()


async def analyze(url: str) -> None:
    """Give the planner its statistics, as the server's own housekeeping would after a while."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
