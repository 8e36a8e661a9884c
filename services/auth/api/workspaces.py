"""MLflow's workspace API: listed, made, described and deleted.

What one may do is decided for the workspace in the path; one that the caller may not enter is not
there.
"""

from typing import Final

import msgspec
from starlette.responses import Response

from libs.common.access.guard import insist_everywhere
from libs.common.errors import invalid
from libs.common.http.routes import Call, Routes
from libs.common.http.wire import require
from libs.common.workspaces import check_name
from services.auth.commands import workspaces as commands
from services.auth.model.workspaces import RESTRICT, check_places
from services.auth.schemas import workspaces as schemas
from services.auth.state import State

PATH: Final = "3.0/mlflow/workspaces"
ONE: Final = f"{PATH}/{{workspace_name}}"
routes: Final = Routes()


@routes.mlflow("GET", PATH, permission="workspace.read")
async def list_workspaces(call: Call) -> object:
    """The workspaces that the caller may enter, by name."""
    found = await commands.entered_workspaces(call.running, call.principal)
    return schemas.WorkspacesAnswer([schemas.shown(one) for one in found])


@routes.mlflow("POST", PATH, permission="workspace.create")
async def create_workspace(call: Call, body: schemas.NewWorkspace) -> object:
    """Make a workspace."""
    insist_everywhere(call.principal, call.permission)
    require(body, "name")
    _check_places(body)
    made = await commands.create_workspace(
        call.running, call.principal, body.name or "", body.description
    )
    answer = schemas.WorkspaceAnswer(schemas.shown(made))
    return Response(msgspec.json.encode(answer), 201, media_type="application/json")


@routes.mlflow("GET", ONE, permission="workspace.read")
async def get_workspace(call: Call) -> object:
    """One workspace."""
    name = _name(call)
    check_name(name)
    found = await commands.visible(call.running, call.principal, name)
    return schemas.WorkspaceAnswer(schemas.shown(found))


@routes.mlflow("PATCH", ONE, permission="workspace.manage")
async def update_workspace(call: Call, body: schemas.ChangedWorkspace) -> object:
    """Give a workspace another description."""
    name = _name(call)
    check_name(name)
    if body.is_empty:
        raise invalid("Workspace update must have at least one key")
    _check_places(body)
    changed = await commands.describe_workspace(
        call.running, call.principal, name, body.description
    )
    return schemas.WorkspaceAnswer(schemas.shown(changed))


@routes.mlflow("DELETE", ONE, permission="workspace.manage")
async def delete_workspace(call: Call) -> object:
    """Delete a workspace; `mode` says what becomes of what it holds."""
    state: State = call.running.state
    mode = call.request.query_params.get("mode", RESTRICT)
    await commands.delete_workspace(call.running, state.keys, call.principal, _name(call), mode)
    return Response(status_code=204)


def _name(call: Call) -> str:
    name: str = call.request.path_params["workspace_name"]
    return name


def _check_places(body: schemas.NewWorkspace | schemas.ChangedWorkspace) -> None:
    archive = body.trace_archival_config or schemas.TraceArchival()
    check_places(body.default_artifact_root, (archive.location, archive.retention))
