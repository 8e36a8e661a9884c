"""Model versions over HTTP: parse, command or query, answer."""

from typing import Any

from libs.common.http.routes import Call, Routes
from libs.common.http.wire import require
from services.registry import schemas
from services.registry.commands import versions as commands
from services.registry.commands.origins import Claim
from services.registry.model import names
from services.registry.model.searches import version_search
from services.registry.queries import versions

routes = Routes()


@routes.mlflow("POST", "2.0/mlflow/model-versions/create", permission="model.register")
async def create_model_version(call: Call, body: schemas.CreateModelVersion) -> dict[str, Any]:
    """Register the next version."""
    require(body, "name", "source")
    new = commands.NewVersion(
        name=body.name,
        claim=Claim(source=body.source, run_id=body.run_id, model_id=body.model_id),
        description=body.description,
        run_link=body.run_link,
        tags=names.tags_of(body.tags),
    )
    return {
        "model_version": await commands.create(call.running, call.principal, call.permission, new)
    }


@routes.mlflow("GET", "2.0/mlflow/model-versions/get", permission="model.read")
async def get_model_version(call: Call, body: schemas.NamedVersion) -> dict[str, Any]:
    """One version."""
    require(body, "name", "version")
    number = names.version_number(body.name, body.version)
    async with call.running.database.reading(call.principal.tenant_no) as connection:
        found = await versions.one(connection, call.principal, call.permission, body.name, number)
    return {"model_version": found}


@routes.mlflow("PATCH", "2.0/mlflow/model-versions/update", permission="model.write")
async def update_model_version(call: Call, body: schemas.UpdateModelVersion) -> dict[str, Any]:
    """Another description."""
    require(body, "name", "version")
    number = names.version_number(body.name, body.version)
    changed = await commands.describe(
        call.running, call.principal, call.permission, body.name, number, body.description
    )
    return {"model_version": changed}


@routes.mlflow("POST", "2.0/mlflow/model-versions/transition-stage", permission="model.transition")
async def transition_model_version_stage(
    call: Call, body: schemas.TransitionStage
) -> dict[str, Any]:
    """Another stage."""
    require(body, "name", "version", "stage")
    number = names.version_number(body.name, body.version)
    moved = await commands.transition(
        call.running,
        call.principal,
        call.permission,
        body.name,
        number,
        body.stage,
        archive=body.archive_existing_versions,
    )
    return {"model_version": moved}


@routes.mlflow("DELETE", "2.0/mlflow/model-versions/delete", permission="model.delete")
async def delete_model_version(call: Call, body: schemas.NamedVersion) -> dict[str, Any]:
    """Delete a version."""
    require(body, "name", "version")
    number = names.version_number(body.name, body.version)
    await commands.delete(call.running, call.principal, call.permission, body.name, number)
    return {}


@routes.mlflow("GET", "2.0/mlflow/model-versions/get-download-uri", permission="model.read")
async def get_model_version_download_uri(call: Call, body: schemas.NamedVersion) -> dict[str, Any]:
    """Where a version's files lie."""
    number = names.version_number(body.name, body.version)
    async with call.running.database.reading(call.principal.tenant_no) as connection:
        found = await versions.location(
            connection, call.principal, call.permission, body.name, number
        )
    return {"artifact_uri": found}


@routes.mlflow("GET", "2.0/mlflow/model-versions/search", permission="model.read")
async def search_model_versions(call: Call, body: schemas.SearchModelVersions) -> dict[str, Any]:
    """A page of versions."""
    search = version_search(
        body.filter, body.order_by, body.max_results, call.page(body.page_token)
    )
    async with call.running.database.reading(call.principal.tenant_no) as connection:
        found, token = await versions.search(connection, call.principal, call.permission, search)
    answer: dict[str, Any] = {"model_versions": found} if found else {}
    return answer | ({"next_page_token": token} if token else {})


@routes.mlflow("POST", "2.0/mlflow/model-versions/set-tag", permission="model.write")
async def set_model_version_tag(call: Call, body: schemas.VersionTag) -> dict[str, Any]:
    """Set a tag."""
    require(body, "name", "version", "key")
    number = names.version_number(body.name, body.version)
    names.check_tag(body)
    await commands.set_tag(
        call.running, call.principal, call.permission, body.name, number, body.key, body.value
    )
    return {}


@routes.mlflow("DELETE", "2.0/mlflow/model-versions/delete-tag", permission="model.write")
async def delete_model_version_tag(call: Call, body: schemas.VersionTag) -> dict[str, Any]:
    """Remove a tag."""
    require(body, "name", "version", "key")
    number = names.version_number(body.name, body.version)
    await commands.delete_tag(
        call.running, call.principal, call.permission, body.name, number, body.key
    )
    return {}
