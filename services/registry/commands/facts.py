"""Models and versions as the facts tell them."""

from libs.common.contracts import registry
from services.registry.model.entries import Model, Version

READY = "READY"


def model_state(model: Model) -> registry.RegisteredModel:
    """A model as it stands."""
    return registry.RegisteredModel(
        name=model.name,
        workspace_id=model.workspace_id,
        description=model.description or "",
        tags=model.tags,
        aliases={alias: str(number) for alias, number in model.aliases.items()},
        owner=model.owner,
    )


def version_state(version: Version) -> registry.ModelVersion:
    """A version as it stands."""
    return registry.ModelVersion(
        name=version.name,
        number=version.number,
        workspace_id=version.workspace_id,
        stage=version.stage,
        status=READY,
        source=version.source,
        run_id=version.run_id,
        model_id=version.logged_model_id,
        description=version.description or "",
        tags=version.tags,
    )


def model_changed(model: Model) -> registry.RegisteredModelChanged:
    """The fact of a model's changed description, tags, aliases or owner."""
    return registry.RegisteredModelChanged(version=model.version, model=model_state(model))


def version_changed(version: Version) -> registry.ModelVersionChanged:
    """The fact of a version's changed description, tags or name."""
    return registry.ModelVersionChanged(
        version=version.version, model_version=version_state(version)
    )


def version_deleted(version: Version) -> registry.ModelVersionDeleted:
    """The fact of a version that is gone; its deletion counts as its last change."""
    return registry.ModelVersionDeleted(
        version=version.version + 1, model_version=version_state(version)
    )
