"""`POST /graphql`: the two operations that MLflow's web pages send there.

It is no GraphQL engine. An operation is known by its name, and answered with everything that the
pages of this MLflow version select of it; a client of GraphQL takes its selection from that.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from libs.common.errors import STATUS, Refusal
from libs.common.http.routes import Call, Routes
from services.tracking.api.decisions import insist_on_run
from services.tracking.commands.experiments import ensure_default
from services.tracking.model.experiments import experiment_number, no_experiment
from services.tracking.model.runs import no_run, run_uuid
from services.tracking.queries import experiments as experiment_queries
from services.tracking.queries import runs as run_queries
from services.tracking.queries.access import selected
from services.tracking.queries.registered import versions_of_run
from services.tracking.schemas import answers, graphql

routes: Final = Routes()
_EXPERIMENT_READ: Final = "experiment.read"
_NAMED: Final = re.compile(r"^\s*query\s+([A-Za-z_]\w{0,99})")
# What is wrong with the caller's question stands in the answer, as MLflow answers it: with a 200.
_ANSWERED: Final = frozenset({STATUS["RESOURCE_DOES_NOT_EXIST"], STATUS["INVALID_PARAMETER_VALUE"]})


class Asked(msgspec.Struct, frozen=True):
    """A request; `variables` holds the operation's one input."""

    query: str = ""
    variables: dict[str, Any] = {}
    operation_name: str = ""


@routes.plain("POST", "/graphql", permission="run.read")
async def ask_graphql(call: Call, body: Asked) -> object:
    """A run or an experiment, for the web pages."""
    name = body.operation_name or _name_in(body.query)
    operation = _OPERATIONS.get(name)
    if operation is None:
        return graphql.Answer(errors=[f"Unknown operation named '{name[:100]}'."])
    variable, field, key, answer = operation
    given = body.variables.get(variable)
    if not isinstance(given, dict):
        return graphql.Answer(
            errors=[f"Variable '${variable}' of a required type was not provided."]
        )
    value = given.get(key) or (given.get("runUuid") if key == "runId" else None) or ""
    if not isinstance(value, str):
        return graphql.Answer(
            errors=[f"Variable '${variable}.{key}': String cannot represent a non string value."]
        )
    try:
        return graphql.Answer({field: await answer(call, value)})
    except Refusal as refusal:
        if refusal.status not in _ANSWERED:
            raise
        return graphql.Answer({field: None}, [refusal.message])


def _name_in(query: str) -> str:
    found = _NAMED.match(query)
    return found[1] if found else ""


async def _run(call: Call, run_id: str) -> graphql.Object:
    await insist_on_run(call, run_id)
    tenant_no, workspace_id = call.principal.tenant_no, call.principal.workspace_id
    found = await run_queries.run(call.running.database, tenant_no, workspace_id, run_uuid(run_id))
    if found is None:
        raise no_run(run_id)
    experiment = await _experiment_shown(call, int(found.info.experiment_id))
    versions = await versions_of_run(call.running, call.principal, run_id)
    return graphql.response("MlflowGetRunResponse", run=graphql.run(found, experiment, versions))


async def _experiment(call: Call, given: str) -> graphql.Object:
    experiment_id = experiment_number(given or "0")
    await ensure_default(call.running, call.principal)
    found = await _experiment_shown(call, experiment_id)
    if found is None:
        raise no_experiment(experiment_id)
    return graphql.response("MlflowGetExperimentResponse", experiment=graphql.experiment(found))


async def _experiment_shown(call: Call, experiment_id: int) -> answers.Experiment | None:
    """An experiment that the caller may see: what the route declares is about runs."""
    principal = call.principal
    async with call.running.database.reading(principal.tenant_no) as connection:
        return await experiment_queries.experiment_by_id(
            connection,
            principal.tenant_no,
            experiment_queries.Workspace(principal.workspace_id, principal.workspace),
            selected(principal, _EXPERIMENT_READ),
            experiment_id,
        )


_Operation = tuple[str, str, str, Callable[[Call, str], Awaitable[graphql.Object]]]
# By name: its variable, the field of the answer, the key of the id in the variable, what answers.
_OPERATIONS: Final[dict[str, _Operation]] = {
    "GetRun": ("data", "mlflowGetRun", "runId", _run),
    "MlflowGetExperimentQuery": ("input", "mlflowGetExperiment", "experimentId", _experiment),
}
