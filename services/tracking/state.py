"""What tracking keeps in memory while it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from libs.common.background import ended
from libs.common.service import Running
from services.tracking.artifacts.objects import ArtifactStore
from services.tracking.artifacts.opening import open_store
from services.tracking.known import Known
from services.tracking.model.capabilities import Seal
from services.tracking.model.usage import Seen


@dataclass(slots=True)
class State:
    """The store of artifacts, what is known of experiments, and whose `Default` is there.

    `usage` is what tenants were last seen to have used. `seal` makes the capabilities of parts, and
    `composing` holds the uploads that this process puts together.
    """

    artifacts: ArtifactStore
    seal: Seal
    known: Known = field(default_factory=Known)
    with_default: set[int] = field(default_factory=set)
    usage: Seen = field(default_factory=Seen)
    composing: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)


@asynccontextmanager
async def open_state(running: Running) -> AsyncIterator[State]:
    """The state of a service that starts."""
    seal = Seal(running.common.auth_client_secret)
    state = State(open_store(running.settings), seal)
    try:
        yield state
    finally:
        # Their clients ask again, and another process puts them together.
        await ended(state.composing.values())


def state_of(running: Running) -> State:
    """The state of a running service."""
    state = running.state
    assert isinstance(state, State)
    return state
