"""What tracking keeps in memory while it runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from libs.common.http.exchange import PrincipalExchange
from libs.common.service import Running
from services.tracking.artifacts.objects import ArtifactStore
from services.tracking.artifacts.opening import open_store
from services.tracking.known import Known
from services.tracking.model.usage import Seen


@dataclass(slots=True)
class State:
    """The store of artifacts, what is known of experiments, and whose `Default` is there.

    `usage` is what tenants were last seen to have used; with `exchange` the registry is asked.
    """

    artifacts: ArtifactStore
    exchange: PrincipalExchange
    known: Known = field(default_factory=Known)
    with_default: set[int] = field(default_factory=set)
    usage: Seen = field(default_factory=Seen)


@asynccontextmanager
async def open_state(running: Running) -> AsyncIterator[State]:
    """The state of a service that starts."""
    secret = running.common.auth_client_secret
    exchange = PrincipalExchange(running.name, secret, running.peers)
    yield State(open_store(running.settings), exchange)


def state_of(running: Running) -> State:
    """The state of a running service."""
    state = running.state
    assert isinstance(state, State)
    return state
