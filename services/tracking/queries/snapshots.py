"""Current states of experiments, runs and logged models, page by page, for telling them again."""

from typing import Final

from asyncpg import Record

from libs.common.contracts import tracking as contract
from libs.common.service import Snapshot
from services.tracking.model.logged_models import STATUSES

_EXPERIMENTS: Final = """
SELECT e.experiment_id::text, e.workspace_id, e.version, e.name, e.artifact_location,
       e.lifecycle_stage, e.owner, t.keys AS tag_keys, t.vals AS tag_values
FROM experiments e
CROSS JOIN LATERAL (
    SELECT array_agg(g.key ORDER BY g.key) AS keys,
           array_agg(left(g.value, 500) ORDER BY g.key) AS vals
    FROM (SELECT * FROM experiment_tags x
          WHERE x.tenant_no = e.tenant_no AND x.experiment_id = e.experiment_id
          ORDER BY x.key LIMIT 1000) g) t
WHERE e.tenant_no = $1 AND e.experiment_id > coalesce(nullif($2, '')::int4, -1)
ORDER BY e.experiment_id LIMIT $3
"""
_RUNS: Final = """
SELECT replace(r.run_id::text, '-', '') AS run_id, r.workspace_id, r.version, r.experiment_id,
       r.name, r.status, r.lifecycle_stage, r.artifact_uri, r.start_time, r.end_time
FROM runs r
WHERE r.tenant_no = $1
  AND r.run_id > coalesce(nullif($2, ''), '00000000000000000000000000000000')::uuid
ORDER BY r.run_id LIMIT $3
"""
_LOGGED_MODELS: Final = """
SELECT 'm-' || replace(m.model_id::text, '-', '') AS model_id, m.workspace_id, m.version,
       m.experiment_id, m.name, m.artifact_uri, m.status, m.model_type, m.source_run_id,
       m.lifecycle_stage
FROM logged_models m
WHERE m.tenant_no = $1
  AND m.model_id > coalesce(nullif(replace($2, 'm-', ''), ''),
                            '00000000000000000000000000000000')::uuid
ORDER BY m.model_id LIMIT $3
"""


def _experiment(row: Record) -> contract.ExperimentSnapshot:
    tags = zip(row["tag_keys"] or (), row["tag_values"] or (), strict=True)
    return contract.ExperimentSnapshot(
        version=row["version"],
        experiment=contract.Experiment(
            experiment_id=row["experiment_id"],
            workspace_id=row["workspace_id"],
            name=row["name"],
            artifact_location=row["artifact_location"],
            lifecycle_stage=row["lifecycle_stage"],
            tags=dict(tags),
            owner=row["owner"],
        ),
    )


def _run(row: Record) -> contract.RunSnapshot:
    return contract.RunSnapshot(
        version=row["version"],
        run=contract.Run(
            run_id=row["run_id"],
            workspace_id=row["workspace_id"],
            experiment_id=str(row["experiment_id"]),
            name=row["name"][:500],
            status=row["status"],
            lifecycle_stage=row["lifecycle_stage"],
            artifact_uri=row["artifact_uri"],
            start_time=row["start_time"],
            end_time=row["end_time"],
        ),
    )


def _logged_model(row: Record) -> contract.LoggedModelSnapshot:
    return contract.LoggedModelSnapshot(
        version=row["version"],
        model=contract.LoggedModel(
            model_id=row["model_id"],
            workspace_id=row["workspace_id"],
            experiment_id=str(row["experiment_id"]),
            name=row["name"],
            artifact_uri=row["artifact_uri"],
            status=STATUSES[row["status"]],
            model_type=row["model_type"],
            source_run_id=row["source_run_id"],
            lifecycle_stage=row["lifecycle_stage"],
        ),
    )


EXPERIMENT_SNAPSHOT: Final = Snapshot(contract.EXPERIMENTS, _EXPERIMENTS, _experiment)
RUN_SNAPSHOT: Final = Snapshot(contract.RUNS, _RUNS, _run)
LOGGED_MODEL_SNAPSHOT: Final = Snapshot(contract.LOGGED_MODELS, _LOGGED_MODELS, _logged_model)
