"""Experiments: one by id or name, and pages of a search; and the datasets their runs used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from asyncpg import Record

from libs.common.access.selection import Selection
from libs.common.database import Connection
from libs.common.filters.pages import Page
from services.tracking.known import Known
from services.tracking.model.filters import Clause, Order
from services.tracking.queries.access import put_selection
from services.tracking.queries.building import (
    NUMBER_COMPARISONS,
    Statement,
)
from services.tracking.queries.narrowing import put_narrowing
from services.tracking.queries.sorting import Term, put_after, put_order
from services.tracking.schemas import answers

# Where rows are found, what they must be, and the tags of those that are shown.
_ROWS: Final = """
SELECT e.experiment_id, e.name, e.artifact_location, e.lifecycle_stage, e.creation_time,
       e.last_update_time, t.keys AS tag_keys, t.vals AS tag_values
FROM (SELECT * FROM (
    SELECT * FROM experiments e WHERE e.tenant_no = $1 AND e.workspace_id = $2"""
_SUCH: Final = """
) e WHERE true"""
_TAGS: Final = """) e
CROSS JOIN LATERAL (
    SELECT array_agg(g.key ORDER BY g.key) AS keys, array_agg(g.value ORDER BY g.key) AS vals
    FROM experiment_tags g
    WHERE g.tenant_no = e.tenant_no AND g.experiment_id = e.experiment_id) t"""
_TAG: Final = """
 AND EXISTS (SELECT FROM experiment_tags g WHERE g.tenant_no = e.tenant_no
             AND g.experiment_id = e.experiment_id AND g.key = ?"""
_NO_TAG: Final = """
 AND NOT EXISTS (SELECT FROM experiment_tags g WHERE g.tenant_no = e.tenant_no
                 AND g.experiment_id = e.experiment_id AND g.key = ?"""
_TIMES: Final = {
    "creation_time": " AND e.creation_time ",
    "last_update_time": " AND e.last_update_time ",
}
_ID: Final = {
    "=": " AND e.experiment_id::int8 = ANY(?::int8[])",
    "IN": " AND e.experiment_id::int8 = ANY(?::int8[])",
    "!=": " AND e.experiment_id::int8 <> ALL(?::int8[])",
    "NOT IN": " AND e.experiment_id::int8 <> ALL(?::int8[])",
}
_TERMS: Final[dict[str, tuple[str, type[int | str]]]] = {
    "name": ("e.name", str),
    "experiment_id": ("e.experiment_id", int),
    "creation_time": ("e.creation_time", int),
    "last_update_time": ("e.last_update_time", int),
}
_NEWEST: Final = (
    Order("attribute", "creation_time", False),
    Order("attribute", "experiment_id", True),
)
_LARGEST: Final = 2**63
_DATASETS: Final = 1_000


class Workspace(NamedTuple):
    """A workspace by its number inside tables, and by the name that answers show."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class ExperimentSearch:
    """What a search asks for; `stages` are the lifecycle stages it looks at."""

    clauses: list[Clause]
    orders: list[Order]
    stages: list[str]
    max_results: int
    page: Page

    @property
    def query(self) -> list[object]:
        """What a page token of this search belongs to."""
        return ["experiments", self.clauses, self.orders, self.stages]


async def experiment_by_id(
    connection: Connection,
    tenant_no: int,
    workspace: Workspace,
    selection: Selection,
    experiment_id: int,
) -> answers.Experiment | None:
    """A selected experiment in any lifecycle stage, None when there is none."""
    statement = Statement(tenant_no, workspace.id).put(_ROWS).put(_SUCH)
    statement.put(" AND e.experiment_id = ?", experiment_id)
    put_selection(statement, selection)
    statement.put(_TAGS)
    row = await connection.fetchrow(statement.text, *statement.values)
    return None if row is None else _experiment(row, workspace)


async def experiment_by_name(
    connection: Connection, tenant_no: int, workspace: Workspace, selection: Selection, name: str
) -> answers.Experiment | None:
    """A selected experiment in any lifecycle stage, None when there is none."""
    statement = Statement(tenant_no, workspace.id).put(_ROWS).put(_SUCH)
    statement.put(" AND e.name = ?", name)
    put_selection(statement, selection)
    statement.put(_TAGS)
    row = await connection.fetchrow(statement.text, *statement.values)
    return None if row is None else _experiment(row, workspace)


async def owner_of(
    connection: Connection, tenant_no: int, workspace_id: int, experiment_id: int
) -> str | None:
    """Whom an experiment belongs to, '' for nobody; None when there is none."""
    owner: str | None = await connection.fetchval(
        """
        SELECT owner FROM experiments
        WHERE tenant_no = $1 AND workspace_id = $2 AND experiment_id = $3
        """,
        *(tenant_no, workspace_id, experiment_id),
    )
    return owner


async def search_experiments(
    connection: Connection,
    known: Known,
    tenant_no: int,
    workspace: Workspace,
    selection: Selection,
    search: ExperimentSearch,
) -> answers.ExperimentsAnswer:
    """A page of selected experiments, and the token of the next page where there is one."""
    statement = Statement(tenant_no, workspace.id).put(_ROWS)
    await put_narrowing(statement, connection, known, selection, search.max_results)
    statement.put(_SUCH)
    put_selection(statement, selection)
    if len(search.stages) == 1:
        statement.put(" AND e.lifecycle_stage = ?", search.stages[0])
    for clause in search.clauses:
        _put_clause(statement, clause)
    terms = _terms(search.orders or _NEWEST)
    put_after(statement, terms, search.page, search.query)
    put_order(statement, terms)
    statement.put(" LIMIT ?", search.max_results + 1)
    statement.put(_TAGS)
    put_order(statement, terms)
    rows = await connection.fetch(statement.text, *statement.values)
    page = rows[: search.max_results]
    token = None
    if len(rows) > len(page):
        last = [page[-1][term.expression.removeprefix("e.")] for term in terms]
        token = search.page.next(search.query, last)
    return answers.ExperimentsAnswer([_experiment(row, workspace) for row in page], token)


async def datasets_of(
    connection: Connection, tenant_no: int, workspace_id: int, experiment_ids: Sequence[int]
) -> list[answers.DatasetSummary]:
    """Which datasets the runs of some experiments used, and what for."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT d.experiment_id, d.name, d.digest, t.value AS context
        FROM experiments e
        JOIN datasets d ON d.tenant_no = e.tenant_no AND d.experiment_id = e.experiment_id
        JOIN inputs i ON i.tenant_no = d.tenant_no AND i.dataset_no = d.dataset_no
        LEFT JOIN input_tags t ON t.tenant_no = i.tenant_no AND t.run_no = i.run_no
             AND t.dataset_no = i.dataset_no AND t.key = 'mlflow.data.context'
        WHERE e.tenant_no = $1 AND e.workspace_id = $2 AND e.experiment_id = ANY($3::int4[])
        ORDER BY d.experiment_id, d.name, d.digest, t.value LIMIT $4
        """,
        *(tenant_no, workspace_id, list(experiment_ids), _DATASETS),
    )
    return [
        answers.DatasetSummary(
            str(row["experiment_id"]), row["name"], row["digest"], row["context"]
        )
        for row in rows
    ]


def _put_clause(statement: Statement, clause: Clause) -> None:
    if clause.kind == "tag":
        statement.put(_NO_TAG if clause.comparator == "IS NULL" else _TAG, clause.key)
        if clause.value is not None:
            statement.put(" AND g.value ").compare_text(clause.comparator, clause.value)
        statement.put(")")
    elif clause.key == "experiment_id":
        wanted = clause.value if isinstance(clause.value, tuple) else (str(clause.value),)
        ids = [number for text in wanted if abs(number := int(text)) < _LARGEST]
        statement.put(_ID[clause.comparator], ids)
    elif isinstance(clause.value, int):
        assert clause.comparator in NUMBER_COMPARISONS
        statement.compare_number(_TIMES[clause.key], clause.comparator, clause.value)
    else:
        statement.put(" AND e.name ").compare_text(clause.comparator, clause.value)


def _terms(orders: Sequence[Order]) -> list[Term]:
    terms = [Term(*_TERMS[order.key], order.ascending) for order in orders]
    if not any(order.key == "experiment_id" for order in orders):
        terms.append(Term("e.experiment_id", int, ascending=False))
    return terms


def _experiment(row: Record, workspace: Workspace) -> answers.Experiment:
    tags = zip(row["tag_keys"] or (), row["tag_values"] or (), strict=True)
    return answers.Experiment(
        experiment_id=str(row["experiment_id"]),
        name=row["name"],
        artifact_location=row["artifact_location"],
        lifecycle_stage=row["lifecycle_stage"],
        last_update_time=row["last_update_time"],
        creation_time=row["creation_time"],
        tags=[answers.Pair(key, value) for key, value in tags],
        workspace=workspace.name,
    )
