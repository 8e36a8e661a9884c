"""Runs: one by its id, and pages of a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record
from msgspec import UNSET, Raw
from msgspec.structs import replace

from libs.common.database import Connection, Database
from libs.common.filters.pages import Page, Value
from services.tracking.kept.memory import Shown
from services.tracking.model.filters import Clause, Order
from services.tracking.queries.building import Statement
from services.tracking.queries.run_filters import put_clauses, put_joins
from services.tracking.queries.sorting import put_after, put_order
from services.tracking.schemas import answers

_DETAILS: Final = "SELECT * FROM run_details($1, $2, $3)"
# A plan for any values cannot know how many runs an experiment has, takes a few for granted and goes
# through them one by one. Planning takes less than that.
_OWN_PLAN: Final = "SET LOCAL plan_cache_mode = force_custom_plan"
# Each kind of detail is read for all of the runs at once.
_DETAILS_OF_MANY: Final = """
SELECT r.run_id, r.experiment_id, r.name, r.user_id, r.status, r.start_time, r.end_time,
       r.artifact_uri, r.lifecycle_stage,
       m.keys AS metric_keys, m.vals AS metric_values, m.times AS metric_times,
       m.steps AS metric_steps, p.keys AS param_keys, p.vals AS param_values,
       t.keys AS tag_keys, t.vals AS tag_values,
       CASE WHEN EXISTS (SELECT FROM inputs i WHERE i.tenant_no = $1 AND i.run_no = r.run_no)
            THEN dataset_inputs(r.tenant_no, r.run_no) END AS datasets,
       o.used AS model_inputs, o.made AS model_outputs, o.steps AS model_steps
FROM runs r
LEFT JOIN (
    SELECT l.run_no, array_agg(k.key) AS keys, array_agg(l.value) AS vals,
           array_agg(l.ts) AS times, array_agg(l.step) AS steps
    FROM latest_metrics l JOIN metric_keys k ON k.tenant_no = l.tenant_no AND k.key_no = l.key_no
    WHERE l.tenant_no = $1 AND l.run_no = ANY($3::int8[]) GROUP BY l.run_no
) m ON m.run_no = r.run_no
LEFT JOIN (
    SELECT q.run_no, array_agg(q.key) AS keys, array_agg(q.value) AS vals FROM params q
    WHERE q.tenant_no = $1 AND q.run_no = ANY($3::int8[]) GROUP BY q.run_no
) p ON p.run_no = r.run_no
LEFT JOIN (
    SELECT g.run_no, array_agg(g.key) AS keys, array_agg(g.value) AS vals FROM run_tags g
    WHERE g.tenant_no = $1 AND g.run_no = ANY($3::int8[]) GROUP BY g.run_no
) t ON t.run_no = r.run_no
LEFT JOIN (
    SELECT y.run_no, array_agg(y.model_id) FILTER (WHERE y.direction = 'input') AS used,
           array_agg(y.model_id) FILTER (WHERE y.direction = 'output') AS made,
           array_agg(y.step) FILTER (WHERE y.direction = 'output') AS steps
    FROM run_models y
    WHERE y.tenant_no = $1 AND y.run_no = ANY($3::int8[]) GROUP BY y.run_no
) o ON o.run_no = r.run_no
WHERE r.tenant_no = $1 AND r.workspace_id = $2 AND r.run_no = ANY($3::int8[])
"""


@dataclass(frozen=True, slots=True)
class RunSearch:
    """What a search asks for; `stages` are the lifecycle stages it looks at."""

    experiment_ids: list[int]
    clauses: list[Clause]
    orders: list[Order]
    stages: list[str]
    max_results: int
    page: Page

    @property
    def query(self) -> list[object]:
        """What a page token of this search belongs to."""
        return ["runs", sorted(self.experiment_ids), self.clauses, self.orders, self.stages]


@dataclass(frozen=True, slots=True)
class FoundRuns:
    """A page of a search: the number of each run by its id, in their order, and the next token."""

    numbers: dict[UUID, int]
    next_page_token: str | None = None


async def shown_run(
    database: Database, tenant_no: int, workspace_id: int, run_id: UUID
) -> dict[UUID, Shown]:
    """How a run is shown, by its id; nothing when there is none."""
    found = await run(database, tenant_no, workspace_id, run_id)
    return {} if found is None else {run_id: shown(found)}


async def shown_runs(
    database: Database, tenant_no: int, workspace_id: int, numbers: Sequence[int]
) -> dict[UUID, Shown]:
    """How runs are shown, by id and in no order."""
    async with database.reading(tenant_no) as connection:
        rows = await connection.fetch(_DETAILS_OF_MANY, tenant_no, workspace_id, numbers)
    return {row["run_id"]: shown(_run(row)) for row in rows}


async def run(
    database: Database, tenant_no: int, workspace_id: int, run_id: UUID
) -> answers.Run | None:
    """A run with everything its page shows, in one round trip; None when there is none."""
    row = await database.fetchrow(_DETAILS, tenant_no, workspace_id, run_id)
    return None if row is None else _run(row)


async def search_runs(
    connection: Connection,
    tenant_no: int,
    workspace_id: int,
    search: RunSearch,
    among: Sequence[int],
) -> FoundRuns:
    """Which runs stand on a page, and the token of the next one where there is one.

    `among` are those of the search's experiments that the caller may look into.
    """
    statement = Statement(tenant_no)
    joins = statement.beside()
    order = put_joins(joins, search.orders)
    statement.put("SELECT r.run_no")
    for term in order:
        statement.put(", ").put(term.expression)
    statement.put(" FROM runs r").put(joins.text)
    statement.put(" WHERE r.tenant_no = $1 AND r.workspace_id = ?", workspace_id)
    _put_experiments(statement, among)
    if len(search.stages) == 1:
        statement.put(" AND r.lifecycle_stage = ?", search.stages[0])
    put_clauses(statement, search.clauses)
    put_after(statement, order, search.page, search.query)
    put_order(statement, order)
    statement.put(" LIMIT ?", search.max_results + 1)
    await connection.execute(_OWN_PLAN)
    found = await connection.fetch(statement.text, *statement.values)
    page = found[: search.max_results]
    numbers = {row["run_id"]: row["run_no"] for row in page}
    if len(found) == len(page):
        return FoundRuns(numbers)
    last: list[Value] = list(page[-1].values())[1:]
    return FoundRuns(numbers, search.page.next(search.query, last))


def shown(found: answers.Run) -> Shown:
    """A run as bytes. A page of a search leaves out the models that a run used, as MLflow does."""
    whole = msgspec.json.encode(found)
    if not found.inputs.model_inputs:
        return Shown(whole, whole)
    without = replace(found.inputs, model_inputs=[])
    return Shown(whole, msgspec.json.encode(replace(found, inputs=without)))


def _put_experiments(statement: Statement, experiment_ids: Sequence[int]) -> None:
    if len(experiment_ids) == 1:
        # An order by an index is found for one value only, not for a list of one.
        statement.put(" AND r.experiment_id = ?::int4", experiment_ids[0])
    else:
        statement.put(" AND r.experiment_id = ANY(?::int4[])", list(experiment_ids))


def _run(row: Record) -> answers.Run:
    run_id = row["run_id"].hex
    models = row["model_outputs"] or ()
    datasets = row["datasets"]
    return answers.Run(
        info=answers.RunInfo(
            run_uuid=run_id,
            experiment_id=str(row["experiment_id"]),
            run_name=row["name"],
            user_id=row["user_id"],
            status=row["status"],
            start_time=row["start_time"],
            end_time=row["end_time"] or UNSET,
            artifact_uri=row["artifact_uri"],
            lifecycle_stage=row["lifecycle_stage"],
            run_id=run_id,
        ),
        data=answers.RunData(
            _metrics(row),
            _pairs(row["param_keys"], row["param_values"]),
            _pairs(row["tag_keys"], row["tag_values"]),
        ),
        inputs=answers.RunInputs(
            UNSET if datasets is None else Raw(datasets.encode()),
            [answers.Model(model_id) for model_id in row["model_inputs"] or ()],
        ),
        outputs=answers.RunOutputs(
            [
                answers.MadeModel(*made)
                for made in zip(models, row["model_steps"] or (), strict=True)
            ]
        ),
    )


def _metrics(row: Record) -> list[answers.Metric]:
    if row["metric_keys"] is None:
        return []
    return [
        # Not-a-number alone differs from itself.
        answers.Metric(key, value if value == value else "NaN", time, step)  # noqa: PLR0124
        for key, value, time, step in zip(
            row["metric_keys"],
            row["metric_values"],
            row["metric_times"],
            row["metric_steps"],
            strict=True,
        )
    ]


def _pairs(keys: list[str] | None, values: list[str] | None) -> list[answers.Pair]:
    if keys is None or values is None:
        return []
    return [answers.Pair(key, value) for key, value in zip(keys, values, strict=True)]
