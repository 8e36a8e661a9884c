"""Live events of a run or an experiment, as server-sent events (WHATWG HTML, 9.2)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from libs.common.database import Connection
from libs.common.errors import Refusal, unavailable
from libs.common.http.own import Caller, Here, Permission, on_resource
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.live.channel import Channel, Subject
from services.tracking.live.hub import Hub
from services.tracking.live.items import message, messages
from services.tracking.live.listener import Listener
from services.tracking.live.places import Standing, read, written
from services.tracking.live.stream import EventStream
from services.tracking.model.experiments import experiment_number, no_experiment
from services.tracking.model.runs import no_run, run_uuid
from services.tracking.queries.access import insist_on_experiment, insist_on_run
from services.tracking.queries.live import experiment_now, run_now
from services.tracking.schemas import live
from services.tracking.state import state_of

# Then the client comes back, with its last event's id, wherever it is led by then.
LONGEST_SECONDS: Final = 3_600.0
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events."}
}
router = APIRouter(prefix="/api/maestro/v1", tags=["live"])

LastEventId = Annotated[
    str, Header(description="The id of the last event that came: what was missed since is told.")
]
Seconds = Annotated[
    float,
    Query(
        ge=0,
        le=LONGEST_SECONDS,
        description="After how long the stream ends by itself; 0: with what it begins with.",
    ),
]
Now = Callable[[Connection], Awaitable[live.Snapshot | None]]
# A comment, so that a client knows that it is heard.
GOES_ON: Final = b": goes on\n\n"


@router.get(
    "/runs/{run_id}/events",
    response_class=Response,
    responses=_EVENTS,
    **on_resource("run.read"),
)
async def listen_to_run(
    run_id: str,
    caller: Caller,
    running: Here,
    permission: Permission,
    last_event_id: LastEventId = "",
    seconds: Seconds = LONGEST_SECONDS,
) -> Response:
    """What is committed to a run, as it happens."""
    stored = run_uuid(run_id)

    async def insist() -> None:
        await insist_on_run(running, await _anew(running, caller), permission, run_id)

    async def now(connection: Connection) -> live.Snapshot | None:
        return await run_now(connection, caller.tenant_no, caller.workspace_id, stored)

    await insist()
    subject = Subject(caller.tenant, run_id)
    begins = _Beginning(running, caller.tenant_no, subject, last_event_id, now, no_run(run_id))
    return EventStream(Listener(insist), begins, seconds)


@router.get(
    "/experiments/{experiment_id}/events",
    response_class=Response,
    responses=_EVENTS,
    **on_resource("run.read"),
)
async def listen_to_experiment(
    experiment_id: str,
    caller: Caller,
    running: Here,
    permission: Permission,
    last_event_id: LastEventId = "",
    seconds: Seconds = LONGEST_SECONDS,
) -> Response:
    """What is committed to the runs of an experiment, as it happens."""
    number = experiment_number(experiment_id)
    missing = no_experiment(number)

    async def insist() -> None:
        who = await _anew(running, caller)
        await insist_on_experiment(running, who, permission, number, missing=missing)

    async def now(connection: Connection) -> live.Snapshot | None:
        return await experiment_now(connection, caller.tenant_no, caller.workspace_id, number)

    await insist()
    subject = Subject(caller.tenant, "", number)
    begins = _Beginning(running, caller.tenant_no, subject, last_event_id, now, missing)
    return EventStream(Listener(insist), begins, seconds)


async def _anew(running: Running, caller: Principal) -> Principal:
    """The caller with the rights it has by now."""
    return replace(caller, rights=await running.authority.rights(caller))


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where a stream begins: with what was missed since the last event, or with how things are."""

    running: Running
    tenant_no: int
    subject: Subject
    last_event_id: str
    now: Now
    missing: Refusal

    @asynccontextmanager
    async def __call__(self, listener: Listener) -> AsyncIterator[None]:
        """The listener hears for as long as the block lasts, and was told what it begins with."""
        if self.running.ending.is_set():
            raise unavailable("This process is about to end; try again.")
        hub = state_of(self.running).live
        await hub.begun()
        standing = read(self.last_event_id)
        if standing is not None:
            await self._now()
            standing = standing if await hub.reaches(self.subject, standing) else None
        # From here on nothing that happens is missed, and nothing was yet read of what did.
        with hub.listened(self.subject, listener) as channel:
            listener.start(await self._first(hub, channel, standing))
            yield

    async def _first(self, hub: Hub, channel: Channel, standing: Standing | None) -> list[bytes]:
        here = channel.standing
        if standing is not None:
            missed = await hub.missed(self.running, channel, standing)
            if missed is not None:
                return [GOES_ON, *messages(missed, standing, here)]
        return [message("snapshot", await self._now(), written(here))]

    async def _now(self) -> live.Snapshot:
        async with self.running.database.reading(self.tenant_no) as connection:
            found = await self.now(connection)
        if found is None:
            raise self.missing
        return found
