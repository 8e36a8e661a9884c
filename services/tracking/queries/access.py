"""Who may do what with an experiment and what lies in it: decided by the experiment's name and owner.

Whoever may do something with everything costs nothing. For others memory says yes or nothing: what
it would refuse is read anew. So a refusal is never out of date, and what is hidden costs the same
one statement as what is not there.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.access.guard import insist, not_allowed
from libs.common.access.selection import Selection, predicate, predicate_values
from libs.common.database import Connection
from libs.common.errors import Refusal
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.known import Governing
from services.tracking.model.logged_models import model_uuid
from services.tracking.model.metrics import no_model
from services.tracking.model.runs import no_run, run_uuid
from services.tracking.queries.building import Statement
from services.tracking.state import state_of

_OF_EXPERIMENT: Final = """
SELECT e.experiment_id, e.version, e.name, e.owner FROM experiments e
WHERE e.tenant_no = $1 AND e.workspace_id = $2 AND e.experiment_id = $3::int8
"""
_OF_RUN: Final = """
SELECT e.experiment_id, e.version, e.name, e.owner FROM runs r
JOIN experiments e ON e.tenant_no = r.tenant_no AND e.experiment_id = r.experiment_id
WHERE r.tenant_no = $1 AND r.workspace_id = $2 AND r.run_id = $3
"""
_OF_MODEL: Final = """
SELECT e.experiment_id, e.version, e.name, e.owner FROM logged_models m
JOIN experiments e ON e.tenant_no = m.tenant_no AND e.experiment_id = m.experiment_id
WHERE m.tenant_no = $1 AND m.workspace_id = $2 AND m.model_id = $3
"""
_ANY: Final = """
SELECT e.experiment_id FROM experiments e WHERE e.tenant_no = $1 AND e.workspace_id = $2"""
_EXPERIMENTS: Final = """
SELECT e.experiment_id FROM experiments e
WHERE e.tenant_no = $1 AND e.workspace_id = $2 AND e.experiment_id = ANY($3::int4[])"""
_RUNS: Final = """
SELECT r.run_id FROM runs r
JOIN experiments e ON e.tenant_no = r.tenant_no AND e.experiment_id = r.experiment_id
WHERE r.tenant_no = $1 AND r.workspace_id = $2 AND r.run_id = ANY($3::uuid[])"""


def selected(principal: Principal, permission: str) -> Selection:
    """The experiments of the caller's workspace on which a permission is held."""
    return principal.rights.selection(permission, principal.workspace_id)


def put_selection(statement: Statement, selection: Selection) -> None:
    """AND only experiments `e` that are selected."""
    if not selection.everything:
        statement.put(" AND ").put(predicate("e.name", "e.owner", len(statement.values) + 1))
        statement.values.extend(predicate_values(selection))


async def insist_on_experiment(
    running: Running,
    principal: Principal,
    permission: str,
    experiment_id: int,
    *,
    missing: Refusal,
) -> None:
    """Refuse unless the caller holds `permission` on an experiment, or on what shall lie in it."""
    selection = selected(principal, permission)
    if selection.everything:
        return
    known = state_of(running).known
    place = principal.tenant_no, principal.workspace_id
    if not _allowed(selection, known.experiment(*place, experiment_id)):
        found = await _read(running, principal, _OF_EXPERIMENT, experiment_id)
        if found is None:
            raise missing
        known.learn(*place, found)
        insist(principal, permission, found.name, found.owner, missing=missing)


async def insist_somewhere(running: Running, principal: Principal, permission: str) -> None:
    """Refuse unless the caller holds `permission` on some experiment, or on some that may come."""
    selection = selected(principal, permission)
    if selection.nothing or selection.allowed.empty:
        statement = Statement(principal.tenant_no, principal.workspace_id).put(_ANY)
        put_selection(statement, selection)
        statement.put(" LIMIT 1")
        async with running.database.reading(principal.tenant_no) as connection:
            found = await connection.fetchrow(statement.text, *statement.values)
        if found is None:
            raise not_allowed(permission, "any experiment", "")


async def insist_on_run(
    running: Running, principal: Principal, permission: str, run_id: str
) -> None:
    """Refuse unless the caller holds `permission` on the experiment of a run."""
    if not selected(principal, permission).everything:
        missing, stored = no_run(run_id), run_uuid(run_id)
        await _insist_on_content(running, principal, permission, _OF_RUN, stored, missing)


async def insist_on_model(
    running: Running, principal: Principal, permission: str, model_id: str
) -> None:
    """Refuse unless the caller holds `permission` on the experiment of a logged model."""
    if not selected(principal, permission).everything:
        missing, stored = no_model(model_id), model_uuid(model_id)
        await _insist_on_content(running, principal, permission, _OF_MODEL, stored, missing)


async def experiments_among(
    connection: Connection, principal: Principal, permission: str, experiment_ids: Sequence[int]
) -> list[int]:
    """Those of some experiments on which the caller holds `permission`."""
    selection = selected(principal, permission)
    if selection.everything:
        return list(experiment_ids)
    rows = await _among(connection, principal, _EXPERIMENTS, selection, experiment_ids)
    return [row["experiment_id"] for row in rows]


async def runs_among(
    running: Running, principal: Principal, permission: str, run_ids: Sequence[UUID]
) -> list[UUID]:
    """Those of some runs on whose experiments the caller holds `permission`, in their order."""
    selection = selected(principal, permission)
    if selection.everything:
        return list(run_ids)
    async with running.database.reading(principal.tenant_no) as connection:
        rows = await _among(connection, principal, _RUNS, selection, run_ids)
    found = {row["run_id"] for row in rows}
    return [run_id for run_id in run_ids if run_id in found]


async def _insist_on_content(
    running: Running,
    principal: Principal,
    permission: str,
    question: str,
    stored: UUID,
    missing: Refusal,
) -> None:
    known = state_of(running).known
    place = principal.tenant_no, principal.workspace_id
    if not _allowed(selected(principal, permission), known.around(*place, stored)):
        found = await _read(running, principal, question, stored)
        if found is None:
            raise missing
        known.learn(*place, found, stored)
        insist(principal, permission, found.name, found.owner, missing=missing)


def _allowed(selection: Selection, known: Governing | None) -> bool:
    return known is not None and selection.covers(known.name, known.owner)


async def _read(
    running: Running, principal: Principal, question: str, stored: int | UUID
) -> Governing | None:
    tenant_no, workspace_id = principal.tenant_no, principal.workspace_id
    async with running.database.reading(tenant_no) as connection:
        row = await connection.fetchrow(question, tenant_no, workspace_id, stored)
    if row is None:
        return None
    return Governing(row["experiment_id"], row["version"], row["name"], row["owner"])


async def _among(
    connection: Connection,
    principal: Principal,
    question: str,
    selection: Selection,
    ids: Sequence[object],
) -> list[Record]:
    statement = Statement(principal.tenant_no, principal.workspace_id, list(ids)).put(question)
    put_selection(statement, selection)
    return await connection.fetch(statement.text, *statement.values)
