"""What tracking keeps in memory while it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from libs.common.background import background, ended
from libs.common.http.exchange import PrincipalExchange
from libs.common.service import Running
from services.tracking.artifacts.objects import ArtifactStore
from services.tracking.artifacts.opening import open_store
from services.tracking.commands.flushing import Created, Logged, flush_created, flush_logged
from services.tracking.commands.group_commit import GroupCommit
from services.tracking.kept.link import Link
from services.tracking.kept.runs import Runs
from services.tracking.kept.sealing import RunSeal
from services.tracking.known import Known
from services.tracking.live.hub import Hub
from services.tracking.model.capabilities import Seal
from services.tracking.model.passes import PassSeal
from services.tracking.model.shares import Shares
from services.tracking.model.usage import Receiving, Seen
from services.tracking.settings import Settings
from services.tracking.store.sections import Conflict


@dataclass(slots=True)
class State:
    """The store of artifacts, what is known of experiments, and whose `Default` is there.

    `usage` is what tenants were last seen to have used, `receiving` the parts that come. `seal` makes
    the capabilities of parts, `passes` those of producers, and `composing` holds the uploads that
    this process puts together. With `exchange` the registry is asked. What runs log, and new runs,
    are committed in groups. `runs` is what is kept of how runs are shown, `live` are those who listen
    to them.
    """

    artifacts: ArtifactStore
    seal: Seal
    passes: PassSeal
    exchange: PrincipalExchange
    runs: Runs
    logged: GroupCommit[Logged, Conflict | None]
    created: GroupCommit[Created, Conflict | None]
    known: Known = field(default_factory=Known)
    with_default: set[int] = field(default_factory=set)
    usage: Seen = field(default_factory=Seen)
    receiving: Receiving = field(default_factory=Receiving)
    composing: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    # Metrics that come back from the archive, by tenant, run and key.
    thawing: dict[tuple[int, int, int], asyncio.Task[None]] = field(default_factory=dict)
    thaws_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    live: Hub = field(default_factory=Hub)
    # Numbers of metric keys by tenant and key, which are for ever.
    key_numbers: dict[tuple[int, str], int] = field(default_factory=dict)
    # Of what producers publish.
    shares: Shares = field(default_factory=Shares)


@asynccontextmanager
async def open_state(running: Running) -> AsyncIterator[State]:
    """The state of a service that starts."""
    secret = running.common.auth_client_secret
    exchange = PrincipalExchange(running.name, secret, running.peers)
    link = Link(running.shared.redis_url)
    state = State(
        artifacts=open_store(running.settings),
        seal=Seal(secret),
        passes=PassSeal(secret),
        exchange=exchange,
        runs=_runs(running, link, secret),
        logged=GroupCommit(lambda writes: flush_logged(running, writes)),
        created=GroupCommit(lambda writes: flush_created(running, writes)),
    )
    try:
        async with background({"run-cache": link.run} if running.shared.redis_url else {}):
            try:
                yield state
            finally:
                await state.logged.close()
                await state.created.close()
    finally:
        state.live.end_all("ending")
        # Their clients ask again, and another process puts them together.
        await ended([*state.composing.values(), *state.thawing.values()])


def _runs(running: Running, link: Link, secret: str) -> Runs:
    settings: Settings = running.settings
    return Runs(
        link,
        RunSeal(secret),
        seconds=settings.run_cache_seconds,
        most_bytes=settings.run_cache_bytes,
    )


def state_of(running: Running) -> State:
    """The state of a running service."""
    state = running.state
    assert isinstance(state, State)
    return state
