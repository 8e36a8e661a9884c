"""What producers of events ask for before they publish, over our own REST."""

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Response

from libs.common.contracts.ingest import INGEST, PRODUCER
from libs.common.http.own import Caller, Here, Permission, on_resource
from services.tracking.commands.passes import give_pass
from services.tracking.schemas.ingest import PassBody

_LOG: Final = "run.log"
router = APIRouter(prefix="/api/maestro/v1/ingest", tags=["ingestion"])


@router.post("/passes", status_code=201, **on_resource(_LOG))
async def create_ingest_pass(
    caller: Caller, running: Here, permission: Permission, response: Response
) -> PassBody:
    """A pass for a producer that publishes what happens in runs, for twelve hours at most.

    Its messages may do what its owner may do when they are applied, and nothing once the
    credential that asked for it is revoked.
    """
    given, secret, ends = await give_pass(running, caller, permission)
    response.headers["cache-control"] = "no-store"
    settings = running.settings
    return PassBody(
        given_pass=given,
        secret=secret,
        expires_at=datetime.fromtimestamp(ends, UTC),
        bootstrap=settings.kafka_public_bootstrap or running.shared.kafka_bootstrap,
        topic=INGEST.name,
        username=PRODUCER,
        password=settings.kafka_producer_password,
        tenant=caller.tenant,
    )
