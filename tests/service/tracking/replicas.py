"""Two processes' worth of tracking over the same PostgreSQL and Redis, and what they show of runs."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from prometheus_client import REGISTRY

from services.tracking.kept.runs import Runs
from services.tracking.queries import runs as queries
from services.tracking.service import SERVICE
from services.tracking.state import state_of
from tests.serving import Client, new_tenant, served
from tests.signing import Signer
from tests.waiting import eventually

SECONDS = 2.0
SOURCES = ("memory", "redis", "database", "unkept")


@dataclass(frozen=True)
class Replicas:
    """Clients of both, of one tenant."""

    one: Client
    other: Client

    def of_new_tenant(self) -> "Replicas":
        """Clients of a tenant that nobody else uses."""
        tenant = new_tenant()
        return Replicas(self.one.of(tenant), self.other.of(tenant))

    @property
    def each(self) -> tuple[Client, Client]:
        """One, and the other."""
        return self.one, self.other


@asynccontextmanager
async def replicas(
    environment: Mapping[str, str], signer: Signer | None = None, **variables: str
) -> AsyncIterator[Replicas]:
    """Both, when they believe what Redis holds."""
    env = {**environment, "TRACKING_RUN_CACHE_SECONDS": str(SECONDS), **variables}
    async with (
        served(SERVICE, {**env, "MAESTRO_INSTANCE": "one"}, signer=signer) as one,
        served(SERVICE, {**env, "MAESTRO_INSTANCE": "other"}, signer=one.signer) as other,
    ):
        found = Replicas(one, other)
        await believing(found)
        yield found


async def believing(found: Replicas) -> None:
    """Wait until both believe what Redis holds."""
    for client in found.each:
        await eventually(partial(_believes, client), within=15)


def _believes(client: Client) -> bool:
    return kept_by(client).believing


def kept_by(client: Client) -> Runs:
    """What a process keeps of runs."""
    return state_of(client.running).runs


def counts() -> dict[str, float]:
    """How many runs were found where, so far and by all of this process's services."""
    name = "maestro_tracking_runs_found_total"
    return {at: REGISTRY.get_sample_value(name, {"source": at}) or 0.0 for at in SOURCES}


def since(before: Mapping[str, float]) -> dict[str, float]:
    """How many since then, without what is none."""
    return {at: count - before[at] for at, count in counts().items() if count != before[at]}


async def got(client: Client, run_id: str) -> Any:
    """The run as get-run shows it, in an order of its own."""
    return ordered((await client.get("runs/get", f"run_id={run_id}"))["run"])


async def searched(client: Client, experiment_id: str = "0") -> dict[str, Any]:
    """The runs as a search of all lists them."""
    body = {"experiment_ids": [experiment_id], "run_view_type": "ALL"}
    runs = (await client.post("runs/search", body)).get("runs", [])
    return {run["info"]["run_id"]: ordered(run) for run in runs}


async def stored(client: Client, run_id: str) -> Any:
    """The run as it stands in the database, whatever anybody keeps."""
    found = await queries.run(client.running.database, client.tenant.number, 1, UUID(run_id))
    return None if found is None else ordered(msgspec.json.decode(msgspec.json.encode(found)))


def ordered(run: Any) -> Any:
    """A run with its pairs and points by their keys: they come in no order."""
    data = {kind: sorted(held, key=lambda one: one["key"]) for kind, held in run["data"].items()}
    return run | {"data": data}
