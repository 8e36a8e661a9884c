"""Logged models: one by its id, pages of a search, and where their artifacts lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from asyncpg import Record
from msgspec import UNSET

from libs.common.access.selection import Selection
from libs.common.database import Connection
from libs.common.filters.pages import Page, Value
from services.tracking.model.filters import Clause
from services.tracking.model.logged_models import WIRE_STATUSES, model_id_of
from services.tracking.queries.access import put_selection
from services.tracking.queries.building import Statement
from services.tracking.queries.logged_model_filters import (
    Dataset,
    OrderBy,
    put_clauses,
    put_joins,
)
from services.tracking.queries.sorting import put_after, put_order
from services.tracking.schemas import logged_models as answers
from services.tracking.schemas.answers import Pair

# Points are stored as often as they were sent: equal ones are one here. Only those of runs that the
# caller may read are shown: `_READABLE` stands in the middle where these are not all runs.
_DETAILS: Final = """
SELECT m.*, p.keys AS param_keys, p.vals AS param_values, t.keys AS tag_keys, t.vals AS tag_values,
       x.keys AS metric_keys, x.vals AS metric_values, x.times AS metric_times,
       x.steps AS metric_steps, x.names AS dataset_names, x.digests AS dataset_digests,
       x.runs AS metric_runs
FROM unnest($3::uuid[]) WITH ORDINALITY AS u (model_id, position)
JOIN logged_models m ON m.tenant_no = $1 AND m.workspace_id = $2 AND m.model_id = u.model_id
CROSS JOIN LATERAL (
    SELECT array_agg(q.key ORDER BY q.key) AS keys, array_agg(q.value ORDER BY q.key) AS vals
    FROM logged_model_params q
    WHERE q.tenant_no = m.tenant_no AND q.model_id = m.model_id) p
CROSS JOIN LATERAL (
    SELECT array_agg(g.key ORDER BY g.key) AS keys, array_agg(g.value ORDER BY g.key) AS vals
    FROM logged_model_tags g
    WHERE g.tenant_no = m.tenant_no AND g.model_id = m.model_id) t
CROSS JOIN LATERAL (
    SELECT array_agg(y.key) AS keys, array_agg(y.value) AS vals, array_agg(y.ts) AS times,
           array_agg(y.step) AS steps, array_agg(y.dataset_name) AS names,
           array_agg(y.dataset_digest) AS digests, array_agg(y.run_id) AS runs
    FROM (
        SELECT k.key, n.value, n.ts, n.step, c.dataset_name, c.dataset_digest, r.run_id
        FROM metric_contexts c
        CROSS JOIN LATERAL points_in_context(c.tenant_no, c.context_no) n
        JOIN metric_keys k ON k.tenant_no = c.tenant_no AND k.key_no = n.key_no
        JOIN runs r ON r.tenant_no = c.tenant_no AND r.run_no = n.run_no
                   AND r.workspace_id = m.workspace_id
        WHERE c.tenant_no = m.tenant_no
          AND c.model_id = 'm-' || replace(m.model_id::text, '-', '')"""
_READABLE: Final = """
          AND EXISTS (SELECT FROM experiments e
                      WHERE e.tenant_no = r.tenant_no AND e.experiment_id = r.experiment_id"""
_IN_ORDER: Final = """
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        ORDER BY k.key, n.ts, n.step, comparable(n.value), c.dataset_name, c.dataset_digest,
                 r.run_id
    ) y) x
WHERE $4 OR m.lifecycle_stage = 'active'
ORDER BY u.position
"""
_LOCATION: Final = """
SELECT artifact_uri FROM logged_models
WHERE tenant_no = $1 AND workspace_id = $2 AND model_id = $3 AND lifecycle_stage = 'active'
"""


@dataclass(frozen=True, slots=True)
class LoggedModelSearch:
    """What a search asks for."""

    experiment_ids: list[int]
    clauses: list[Clause]
    datasets: list[Dataset]
    orders: list[OrderBy]
    max_results: int
    page: Page

    @property
    def query(self) -> list[object]:
        """What a page token of this search belongs to."""
        experiments = sorted(self.experiment_ids)
        return ["logged models", experiments, self.clauses, self.datasets, self.orders]


async def logged_model(
    connection: Connection,
    tenant_no: int,
    workspace_id: int,
    model_id: UUID,
    *,
    also_deleted: bool,
    runs: Selection,
) -> answers.LoggedModel | None:
    """A model with its params, tags and those metrics that `runs` logged; None when there is none.

    `runs` are the experiments whose runs the caller may read.
    """
    statement = Statement(tenant_no, workspace_id, [model_id], also_deleted)
    found = await _described(connection, statement, runs)
    return found[0] if found else None


async def artifact_uri(
    connection: Connection, tenant_no: int, workspace_id: int, model_id: UUID
) -> str | None:
    """Where the artifacts of an active model lie; None when there is none."""
    found: str | None = await connection.fetchval(_LOCATION, tenant_no, workspace_id, model_id)
    return found


async def search(
    connection: Connection,
    tenant_no: int,
    workspace_id: int,
    wanted: LoggedModelSearch,
    among: Sequence[int],
    runs: Selection,
) -> answers.LoggedModelsAnswer:
    """A page of active models, and the token of the next page where there is one.

    `among` are those of the search's experiments that the caller may look into, `runs` those whose
    runs the caller may read: points of other runs neither match, nor order, nor are shown.
    """
    statement = Statement(tenant_no, workspace_id)
    joins = statement.beside()
    order = put_joins(joins, wanted.orders, runs)
    statement.put("SELECT m.model_id")
    for term in order:
        statement.put(", ").put(term.expression)
    statement.put(" FROM logged_models m").put(joins.text)
    statement.put(" WHERE m.tenant_no = $1 AND m.workspace_id = $2")
    statement.put(" AND m.lifecycle_stage = 'active'")
    _put_experiments(statement, among)
    put_clauses(statement, wanted.clauses, wanted.datasets, runs)
    put_after(statement, order, wanted.page, wanted.query)
    put_order(statement, order)
    statement.put(" LIMIT ?", wanted.max_results + 1)
    found = await connection.fetch(statement.text, *statement.values)
    page = found[: wanted.max_results]
    if not page:
        return answers.LoggedModelsAnswer()
    ids = [row[0] for row in page]
    models = await _described(connection, Statement(tenant_no, workspace_id, ids, False), runs)
    more = len(found) > len(page)
    last: list[Value] = list(page[-1].values())[1:]
    token = wanted.page.next(wanted.query, last) if more else None
    return answers.LoggedModelsAnswer(models, token)


async def _described(
    connection: Connection, statement: Statement, runs: Selection
) -> list[answers.LoggedModel]:
    statement.put(_DETAILS)
    if not runs.everything:
        statement.put(_READABLE)
        put_selection(statement, runs)
        statement.put(")")
    statement.put(_IN_ORDER)
    rows = await connection.fetch(statement.text, *statement.values)
    return [_model(row) for row in rows]


def _put_experiments(statement: Statement, experiment_ids: Sequence[int]) -> None:
    if len(experiment_ids) == 1:
        # An order by an index is found for one value only, not for a list of one.
        statement.put(" AND m.experiment_id = ?::int4", experiment_ids[0])
    else:
        statement.put(" AND m.experiment_id = ANY(?::int4[])", list(experiment_ids))


def _model(row: Record) -> answers.LoggedModel:
    model_id = model_id_of(row["model_id"])
    return answers.LoggedModel(
        answers.Info(
            model_id=model_id,
            experiment_id=str(row["experiment_id"]),
            name=row["name"],
            creation_timestamp_ms=row["creation_time"],
            last_updated_timestamp_ms=row["last_update_time"],
            artifact_uri=row["artifact_uri"],
            status=WIRE_STATUSES[row["status"]],
            model_type=row["model_type"],
            source_run_id=row["source_run_id"],
            tags=_pairs(row["tag_keys"], row["tag_values"]),
        ),
        answers.Data(_pairs(row["param_keys"], row["param_values"]), _metrics(row, model_id)),
    )


def _metrics(row: Record, model_id: str) -> list[answers.Metric]:
    if row["metric_keys"] is None:
        return []
    return [
        answers.Metric(
            key=key,
            value=value if value == value else "NaN",  # noqa: PLR0124 - NaN alone differs from itself
            timestamp=time,
            step=step,
            dataset_name=name or UNSET,
            dataset_digest=digest or UNSET,
            model_id=model_id,
            run_id=run_id.hex,
        )
        for key, value, time, step, name, digest, run_id in zip(
            *(row["metric_keys"], row["metric_values"], row["metric_times"], row["metric_steps"]),
            *(row["dataset_names"], row["dataset_digests"], row["metric_runs"]),
            strict=True,
        )
    ]


def _pairs(keys: list[str] | None, values: list[str] | None) -> list[Pair]:
    if keys is None or values is None:
        return []
    return [Pair(key, value) for key, value in zip(keys, values, strict=True)]
