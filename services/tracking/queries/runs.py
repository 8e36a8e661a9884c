"""Runs: one by its id, and pages of a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from asyncpg import Record
from msgspec import UNSET, Raw

from libs.common.database import Connection, Database
from libs.common.filters.pages import Page, Value
from services.tracking.model.filters import Clause, Order
from services.tracking.queries.building import Statement
from services.tracking.queries.run_filters import put_clauses, put_joins
from services.tracking.queries.sorting import put_after, put_order
from services.tracking.schemas import answers

_DETAILS: Final = "SELECT * FROM run_details($1, $2, $3)"
# Each kind of detail is read for the whole page at once.
_PAGE_OF_DETAILS: Final = """
SELECT r.run_id, r.experiment_id, r.name, r.user_id, r.status, r.start_time, r.end_time,
       r.artifact_uri, r.lifecycle_stage,
       m.keys AS metric_keys, m.vals AS metric_values, m.times AS metric_times,
       m.steps AS metric_steps, p.keys AS param_keys, p.vals AS param_values,
       t.keys AS tag_keys, t.vals AS tag_values,
       CASE WHEN EXISTS (SELECT FROM inputs i WHERE i.tenant_no = $1 AND i.run_no = r.run_no)
            THEN dataset_inputs(r.tenant_no, r.run_no) END AS datasets,
       NULL::text[] AS model_inputs, o.models AS model_outputs, o.steps AS model_steps
FROM unnest($2::int8[]) WITH ORDINALITY AS u (run_no, position)
JOIN runs r ON r.tenant_no = $1 AND r.run_no = u.run_no AND r.run_no = ANY($2::int8[])
LEFT JOIN (
    SELECT l.run_no, array_agg(k.key) AS keys, array_agg(l.value) AS vals,
           array_agg(l.ts) AS times, array_agg(l.step) AS steps
    FROM latest_metrics l JOIN metric_keys k ON k.tenant_no = l.tenant_no AND k.key_no = l.key_no
    WHERE l.tenant_no = $1 AND l.run_no = ANY($2::int8[]) GROUP BY l.run_no
) m ON m.run_no = r.run_no
LEFT JOIN (
    SELECT q.run_no, array_agg(q.key) AS keys, array_agg(q.value) AS vals FROM params q
    WHERE q.tenant_no = $1 AND q.run_no = ANY($2::int8[]) GROUP BY q.run_no
) p ON p.run_no = r.run_no
LEFT JOIN (
    SELECT g.run_no, array_agg(g.key) AS keys, array_agg(g.value) AS vals FROM run_tags g
    WHERE g.tenant_no = $1 AND g.run_no = ANY($2::int8[]) GROUP BY g.run_no
) t ON t.run_no = r.run_no
LEFT JOIN (
    SELECT y.run_no, array_agg(y.model_id) AS models, array_agg(y.step) AS steps FROM run_models y
    WHERE y.tenant_no = $1 AND y.run_no = ANY($2::int8[]) AND y.direction = 'output'
    GROUP BY y.run_no
) o ON o.run_no = r.run_no
ORDER BY u.position
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
) -> answers.RunsAnswer:
    """A page of runs, and the token of the next page where there is one.

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
    found = await connection.fetch(statement.text, *statement.values)
    page = found[: search.max_results]
    if not page:
        return answers.RunsAnswer()
    rows = await connection.fetch(_PAGE_OF_DETAILS, tenant_no, [row[0] for row in page])
    more = len(found) > len(page)
    last: list[Value] = list(page[-1].values())[1:]
    token = search.page.next(search.query, last) if more else None
    return answers.RunsAnswer([_run(row) for row in rows], token)


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
