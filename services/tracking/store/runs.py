"""Runs, their tags, and the datasets and models they name."""

from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.database import Connection
from services.tracking.model.inputs import DatasetUse
from services.tracking.model.runs import RUN_NAME_TAG, Run

# Of runs, what the rules need: no more is written back than `save_run` writes.
_TO_CHANGE: Final = """
SELECT * FROM runs
WHERE tenant_no = $1 AND run_id = $2 AND workspace_id = $3 FOR NO KEY UPDATE
"""
# One page, in the order of the index `runs_newest`.
_MOVE: Final = """
WITH page AS (
    SELECT run_no FROM runs
    WHERE tenant_no = $1 AND experiment_id = $2 AND lifecycle_stage <> $3
      AND start_time <= $4 AND (start_time < $4 OR run_id > $5)
    ORDER BY start_time DESC, run_id LIMIT $6
    FOR NO KEY UPDATE
), moved AS (
    UPDATE runs AS r
    SET lifecycle_stage = $3, version = r.version + 1,
        deleted_time = CASE $3 WHEN 'deleted' THEN (extract(epoch FROM now()) * 1000)::int8 END,
        restored_time = CASE $3 WHEN 'active' THEN (extract(epoch FROM now()) * 1000)::int8
                        ELSE r.restored_time END
    FROM page WHERE r.tenant_no = $1 AND r.run_no = page.run_no
    RETURNING r.*
)
SELECT * FROM moved ORDER BY start_time DESC, run_id
"""
_PAGE: Final = 500
_LATEST: Final = 2**63 - 1
_ADD_DATASETS: Final = """
INSERT INTO datasets (tenant_no, experiment_id, name, digest, source_type, source, schema, profile)
SELECT $1, $2, u.name, u.digest, u.source_type, u.source, u.schema, u.profile
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
     AS u (name, digest, source_type, source, schema, profile)
ORDER BY u.name, u.digest
ON CONFLICT (tenant_no, experiment_id, name, digest) DO NOTHING
"""
_ADD_INPUTS: Final = """
INSERT INTO inputs (tenant_no, run_no, dataset_no)
SELECT $1, $2, d.dataset_no
FROM unnest($4::text[], $5::text[]) AS u (name, digest)
JOIN datasets d ON d.tenant_no = $1 AND d.experiment_id = $3 AND d.name = u.name
     AND d.digest = u.digest
ORDER BY d.dataset_no
ON CONFLICT DO NOTHING
RETURNING dataset_no,
          (SELECT ARRAY[d.name, d.digest] FROM datasets d
           WHERE d.tenant_no = $1 AND d.dataset_no = inputs.dataset_no) AS known_as
"""


async def run_to_change(
    connection: Connection, tenant_no: int, workspace_id: int, run_id: UUID
) -> Run | None:
    """The run, locked until the transaction ends."""
    row = await connection.fetchrow(_TO_CHANGE, tenant_no, run_id, workspace_id)
    return None if row is None else run_of(row)


async def save_run(connection: Connection, tenant_no: int, run: Run) -> None:
    """The run's name, status, end, stage and version."""
    await connection.execute(
        """
        UPDATE runs SET name = $3, status = $4, end_time = $5, lifecycle_stage = $6, version = $7,
               deleted_time = CASE $6 WHEN 'deleted'
                              THEN (extract(epoch FROM now()) * 1000)::int8 END,
               restored_time = CASE WHEN $6 = 'active' AND lifecycle_stage = 'deleted'
                               THEN (extract(epoch FROM now()) * 1000)::int8
                               ELSE restored_time END
        WHERE tenant_no = $1 AND run_no = $2
        """,
        *(tenant_no, run.run_no, run.name, run.status, run.end_time),
        *(run.lifecycle_stage, run.version),
    )


async def move_runs(
    connection: Connection, tenant_no: int, experiment_id: int, stage: str
) -> AsyncIterator[list[Run]]:
    """Bring all runs of an experiment into a lifecycle stage; those not in it, page by page."""
    last, run_id = _LATEST, UUID(int=0)
    while True:
        rows = await connection.fetch(_MOVE, tenant_no, experiment_id, stage, last, run_id, _PAGE)
        if rows:
            yield [run_of(row) for row in rows]
        if len(rows) < _PAGE:
            return
        last, run_id = rows[-1]["start_time"], rows[-1]["run_id"]


async def set_name_tag(connection: Connection, tenant_no: int, run: Run) -> None:
    """The tag that tells a run's name."""
    await set_tag(connection, tenant_no, run, RUN_NAME_TAG, run.name)


async def set_tag(connection: Connection, tenant_no: int, run: Run, key: str, value: str) -> None:
    """One tag of a run."""
    await connection.execute(
        """
        INSERT INTO run_tags (tenant_no, run_no, key, value) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_no, run_no, key) DO UPDATE SET value = EXCLUDED.value
        """,
        *(tenant_no, run.run_no, key, value),
    )


async def tag_of(connection: Connection, tenant_no: int, run: Run, key: str) -> str | None:
    """One tag of a run, None when it has none of that key."""
    value: str | None = await connection.fetchval(
        "SELECT value FROM run_tags WHERE tenant_no = $1 AND run_no = $2 AND key = $3",
        *(tenant_no, run.run_no, key),
    )
    return value


async def delete_tag(connection: Connection, tenant_no: int, run: Run, key: str) -> bool:
    """Delete a tag; False when there was none."""
    tag = await connection.execute(
        "DELETE FROM run_tags WHERE tenant_no = $1 AND run_no = $2 AND key = $3",
        *(tenant_no, run.run_no, key),
    )
    return tag != "DELETE 0"


async def add_datasets(
    connection: Connection, tenant_no: int, run: Run, uses: Sequence[DatasetUse]
) -> None:
    """Datasets of a run; one that the run has already keeps its tags, as in MLflow."""
    names, digests = [use.name for use in uses], [use.digest for use in uses]
    await connection.execute(
        _ADD_DATASETS,
        *(tenant_no, run.experiment_id, names, digests),
        [use.source_type for use in uses],
        [use.source for use in uses],
        [use.schema for use in uses],
        [use.profile for use in uses],
    )
    rows = await connection.fetch(
        _ADD_INPUTS, *(tenant_no, run.run_no, run.experiment_id, names, digests)
    )
    number_of = {tuple(row["known_as"]): row["dataset_no"] for row in rows}
    tags = [
        (tenant_no, run.run_no, number, key, value)
        for use in uses
        if (number := number_of.get((use.name, use.digest))) is not None
        for key, value in use.tags.items()
    ]
    await connection.executemany(
        "INSERT INTO input_tags (tenant_no, run_no, dataset_no, key, value)"
        " VALUES ($1, $2, $3, $4, $5)",
        tags,
    )


async def add_models(
    connection: Connection,
    tenant_no: int,
    run: Run,
    direction: str,
    models: Sequence[tuple[str, int]],
) -> None:
    """Logged models (id, step) that a run used (`input`) or made (`output`)."""
    await connection.execute(
        """
        INSERT INTO run_models (tenant_no, run_no, direction, model_id, step)
        SELECT DISTINCT ON (u.model_id) $1, $2, $3, u.model_id, u.step
        FROM unnest($4::text[], $5::int8[]) AS u (model_id, step)
        ORDER BY u.model_id, u.step DESC
        ON CONFLICT (tenant_no, run_no, direction, model_id) DO UPDATE SET step = EXCLUDED.step
        """,
        *(tenant_no, run.run_no, direction),
        [model_id for model_id, _ in models],
        [step for _, step in models],
    )


def run_of(row: Record) -> Run:
    """The run in a row of its table."""
    return Run(
        run_no=row["run_no"],
        run_id=row["run_id"].hex,
        workspace_id=row["workspace_id"],
        experiment_id=row["experiment_id"],
        version=row["version"],
        name=row["name"],
        user_id=row["user_id"],
        status=row["status"],
        lifecycle_stage=row["lifecycle_stage"],
        artifact_uri=row["artifact_uri"],
        start_time=row["start_time"],
        end_time=row["end_time"],
    )
