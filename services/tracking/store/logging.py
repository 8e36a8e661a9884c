"""Writes of one request inside a transaction: a SQL function each, its refusal decided inside."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID

import msgspec

from libs.common.events.outbox import OutboxColumns
from services.tracking.model.metrics import Point


class Asking(Protocol):
    """A database in autocommit, or a connection in a transaction."""

    async def fetchval(self, sql: str, *args: object) -> object: ...


class Outcome(msgspec.Struct, frozen=True):
    """Why a write was refused; what says more depends on `why`."""

    why: str
    stage: str = ""
    model: str = ""
    params: list[tuple[str, str, str]] = []


class NewRun(msgspec.Struct, frozen=True):
    """What is stored of a run when it is made."""

    run_id: UUID
    experiment_id: int
    name: str
    user_id: str
    start_time: int
    artifact_uri: str
    tags: dict[str, str]


_LOG_BATCH: Final = """
SELECT log_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 $19, $20, $21, $22, $23)
"""
_CREATE_RUN: Final = """
SELECT create_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                  $19)
"""


async def log_batch(
    database: Asking,
    workspace_id: int,
    run_id: UUID,
    points: Sequence[Point],
    params: Mapping[str, str],
    tags: Mapping[str, str],
    told: OutboxColumns,
) -> Outcome | None:
    """Points, params, tags and their facts; None when all is stored, else nothing is."""
    in_context = points if any(p.model_id or p.dataset_name for p in points) else ()
    return _outcome(
        await database.fetchval(
            _LOG_BATCH,
            *(workspace_id, run_id),
            [point.key for point in points],
            [point.value for point in points],
            [point.time for point in points],
            [point.step for point in points],
            [point.model_id for point in in_context],
            [point.dataset_name for point in in_context],
            [point.dataset_digest for point in in_context],
            *(list(params), list(params.values()), list(tags), list(tags.values())),
            *told,
        )
    )


async def create_run(
    database: Asking, workspace_id: int, run: NewRun, told: OutboxColumns
) -> Outcome | None:
    """A run, its tags and its fact; None when it is stored."""
    return _outcome(
        await database.fetchval(
            _CREATE_RUN,
            *(workspace_id, run.experiment_id, run.run_id, run.name, run.user_id),
            *(run.start_time, run.artifact_uri, list(run.tags), list(run.tags.values())),
            *told,
        )
    )


def _outcome(answer: object) -> Outcome | None:
    return None if answer is None else msgspec.json.decode(str(answer), type=Outcome)
