"""Registered models over HTTP: parse, command or query, answer."""

from typing import Any

from libs.common.http.routes import Call, Routes
from libs.common.http.wire import require
from services.registry import schemas
from services.registry.commands import models as commands
from services.registry.model import names, stages
from services.registry.model.searches import model_search
from services.registry.queries import models, versions

routes = Routes()


@routes.mlflow("POST", "2.0/mlflow/registered-models/create", permission="model.register")
async def create_registered_model(
    call: Call, body: schemas.CreateRegisteredModel
) -> dict[str, Any]:
    """Register a name."""
    require(body, "name")
    names.check_model_name(body.name)
    tags = names.tags_of(body.tags)
    created = await commands.create(
        call.running, call.principal, call.permission, body.name, body.description, tags
    )
    return {"registered_model": created}


@routes.mlflow("GET", "2.0/mlflow/registered-models/get", permission="model.read")
async def get_registered_model(call: Call, body: schemas.NamedModel) -> dict[str, Any]:
    """One model."""
    require(body, "name")
    names.check_model_name(body.name)
    async with call.running.database.reading(call.principal.tenant_no) as connection:
        return {
            "registered_model": await models.one(
                connection, call.principal, call.permission, body.name
            )
        }


@routes.mlflow("PATCH", "2.0/mlflow/registered-models/update", permission="model.write")
async def update_registered_model(
    call: Call, body: schemas.UpdateRegisteredModel
) -> dict[str, Any]:
    """Another description."""
    require(body, "name")
    changed = await commands.describe(
        call.running, call.principal, call.permission, body.name, body.description
    )
    return {"registered_model": changed}


@routes.mlflow("POST", "2.0/mlflow/registered-models/rename", permission="model.manage")
async def rename_registered_model(
    call: Call, body: schemas.RenameRegisteredModel
) -> dict[str, Any]:
    """Another name."""
    require(body, "name", "new_name")
    renamed = await commands.rename(
        call.running, call.principal, call.permission, body.name, body.new_name
    )
    return {"registered_model": renamed}


@routes.mlflow("DELETE", "2.0/mlflow/registered-models/delete", permission="model.delete")
async def delete_registered_model(call: Call, body: schemas.NamedModel) -> dict[str, Any]:
    """Delete a model and all that is in it."""
    require(body, "name")
    await commands.delete(call.running, call.principal, call.permission, body.name)
    return {}


@routes.mlflow("GET", "2.0/mlflow/registered-models/search", permission="model.read")
async def search_registered_models(
    call: Call, body: schemas.SearchRegisteredModels
) -> dict[str, Any]:
    """A page of models."""
    search = model_search(body.filter, body.order_by, body.max_results, call.page(body.page_token))
    async with call.running.database.reading(call.principal.tenant_no) as connection:
        found, token = await models.search(connection, call.principal, call.permission, search)
    answer: dict[str, Any] = {"registered_models": found} if found else {}
    return answer | ({"next_page_token": token} if token else {})


@routes.mlflow("GET", "2.0/mlflow/registered-models/get-latest-versions", permission="model.read")
async def read_latest_versions(call: Call, body: schemas.GetLatestVersions) -> dict[str, Any]:
    """The newest version of each stage, as older clients ask."""
    return await _latest_versions(call, body)


@routes.mlflow("POST", "2.0/mlflow/registered-models/get-latest-versions", permission="model.read")
async def get_latest_versions(call: Call, body: schemas.GetLatestVersions) -> dict[str, Any]:
    """The newest version of each stage."""
    return await _latest_versions(call, body)


async def _latest_versions(call: Call, body: schemas.GetLatestVersions) -> dict[str, Any]:
    require(body, "name")
    names.check_model_name(body.name)
    async with call.running.database.reading(call.principal.tenant_no) as connection:
        wanted = [stages.canonical(stage) for stage in body.stages] or list(stages.ALL)
        found = await versions.latest(
            connection, call.principal, call.permission, body.name, wanted
        )
    return {"model_versions": found} if found else {}


@routes.mlflow("POST", "2.0/mlflow/registered-models/set-tag", permission="model.write")
async def set_registered_model_tag(call: Call, body: schemas.ModelTag) -> dict[str, Any]:
    """Set a tag."""
    require(body, "name", "key")
    names.check_model_name(body.name)
    names.check_tag(body)
    await commands.set_tag(
        call.running, call.principal, call.permission, body.name, body.key, body.value
    )
    return {}


@routes.mlflow("DELETE", "2.0/mlflow/registered-models/delete-tag", permission="model.write")
async def delete_registered_model_tag(call: Call, body: schemas.ModelTag) -> dict[str, Any]:
    """Remove a tag."""
    require(body, "name", "key")
    await commands.delete_tag(call.running, call.principal, call.permission, body.name, body.key)
    return {}
