"""Aliases over HTTP: parse, command or query, answer."""

from typing import Any

from libs.common.http.routes import Call, Routes
from libs.common.http.wire import require
from services.registry import schemas
from services.registry.commands import aliases as commands
from services.registry.model import names
from services.registry.queries import versions

routes = Routes()


@routes.mlflow("POST", "2.0/mlflow/registered-models/alias", permission="model.alias")
async def set_registered_model_alias(call: Call, body: schemas.ModelAlias) -> dict[str, Any]:
    """Point an alias at a version."""
    require(body, "name", "alias", "version")
    await commands.point(
        call.running, call.principal, call.permission, body.name, body.alias, body.version
    )
    return {}


@routes.mlflow("GET", "2.0/mlflow/registered-models/alias", permission="model.read")
async def get_model_version_by_alias(call: Call, body: schemas.ModelAlias) -> dict[str, Any]:
    """The version an alias points at."""
    require(body, "name", "alias")
    names.check_model_name(body.name)
    names.check_alias(body.alias)
    async with call.running.database.reading(call.principal.tenant_no) as connection:
        _, found = await versions.by_alias(
            connection, call.principal, call.permission, body.name, body.alias
        )
    return {"model_version": found}


@routes.mlflow("DELETE", "2.0/mlflow/registered-models/alias", permission="model.alias")
async def delete_registered_model_alias(call: Call, body: schemas.ModelAlias) -> dict[str, Any]:
    """Remove an alias."""
    require(body, "name", "alias")
    await commands.remove(call.running, call.principal, call.permission, body.name, body.alias)
    return {}
