"""What the registry knows of tracking's runs and logged models, from tracking's facts."""

from typing import Final

from libs.common.database import Database
from libs.common.principal import Principal
from services.registry.model.entries import KnownModel, KnownRun

_RUN: Final = """
SELECT workspace_id = $2 AS own, run_id, artifact_uri
FROM known_runs WHERE tenant_no = $1 AND run_id = $3
"""
_MODEL: Final = """
SELECT workspace_id = $2 AND lifecycle_stage = 'active' AS own, model_id, artifact_uri,
       source_run_id
FROM known_models WHERE tenant_no = $1 AND model_id = $3
"""


class Hidden:
    """It is known, and it is not there for this caller: deleted, or of another workspace."""


async def run(database: Database, principal: Principal, run_id: str) -> KnownRun | Hidden | None:
    """A run, None when nothing was heard of it."""
    async with database.reading(principal.tenant_no) as connection:
        row = await connection.fetchrow(_RUN, principal.tenant_no, principal.workspace_id, run_id)
    if row is None:
        return None
    return KnownRun(row["run_id"], row["artifact_uri"]) if row["own"] else Hidden()


async def logged_model(
    database: Database, principal: Principal, model_id: str
) -> KnownModel | Hidden | None:
    """A logged model, None when nothing was heard of it."""
    async with database.reading(principal.tenant_no) as connection:
        row = await connection.fetchrow(
            _MODEL, principal.tenant_no, principal.workspace_id, model_id
        )
    if row is None:
        return None
    if not row["own"]:
        return Hidden()
    return KnownModel(row["model_id"], row["artifact_uri"], row["source_run_id"])
