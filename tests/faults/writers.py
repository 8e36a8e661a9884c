"""Clients that write without a break and remember, outside of all services, what was acknowledged."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from libs.common.principal import PRINCIPAL_HEADER
from tests.serving import new_tenant
from tests.signing import Signer, Tenant

WRITERS = 64
PACE_SECONDS = 0.25
# Logged at once into a new run.
POINTS = 10


@dataclass
class Oracle:
    """What a tenant's clients were told, whatever happened afterwards."""

    tenant: Tenant = field(default_factory=new_tenant)
    runs: dict[str, int] = field(default_factory=dict)
    experiments: dict[str, str] = field(default_factory=dict)
    points: dict[str, int] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    last_failure: float = 0.0
    last_success: float = 0.0

    @property
    def acknowledged(self) -> int:
        """How many writes were acknowledged: each run's changes, batches and experiments."""
        return sum(self.runs.values()) + len(self.points) + len(self.experiments)

    @property
    def uncertain(self) -> int:
        """How many writes may be stored or not: never answered, or told to come again."""
        return self.answers[0] + self.answers[503]


class Writers:
    """Clients of tracking, each with a connection of its own, in turn of one tenant and the next."""

    def __init__(self, url: str, signer: Signer) -> None:
        self._url = url
        self._signer = signer
        self._numbers = itertools.count()
        self.open = asyncio.Event()
        self.ending = False

    async def write(self, oracle: Oracle) -> None:
        """Write until the end, whenever the service may be there."""
        async with aiohttp.ClientSession() as session:
            while True:
                await self.open.wait()
                if self.ending:
                    return
                try:
                    await self._round(session, oracle)
                except (aiohttp.ClientError, OSError, TimeoutError):
                    oracle.answers[0] += 1
                    await asyncio.sleep(0.05)
                # All at once, so that a flush holds writes of many; and then they leave the services
                # some time for their facts.
                now = asyncio.get_running_loop().time()
                await asyncio.sleep(PACE_SECONDS - now % PACE_SECONDS)

    async def _round(self, session: aiohttp.ClientSession, oracle: Oracle) -> None:
        number = next(self._numbers)
        if number % 7 == 3:
            name = f"experiment {number}"
            made = await self._post(session, oracle, "experiments/create", {"name": name})
            if made is not None:
                oracle.experiments[made["experiment_id"]] = name
            return
        asked = {"experiment_id": "0", "run_name": f"run {number}", "start_time": number}
        made = await self._post(session, oracle, "runs/create", asked)
        if made is None:
            return
        run_id = made["run"]["info"]["run_id"]
        oracle.runs[run_id] = 1
        batch = {"run_id": run_id, "metrics": _metrics(number)}
        if await self._post(session, oracle, "runs/log-batch", batch) is not None:
            oracle.points[run_id] = POINTS
        if number % 3 == 0:
            asked = {"run_id": run_id, "status": "FINISHED", "end_time": number}
            if await self._post(session, oracle, "runs/update", asked) is not None:
                oracle.runs[run_id] = 2

    async def _post(
        self, session: aiohttp.ClientSession, oracle: Oracle, path: str, body: Mapping[str, Any]
    ) -> Any | None:
        """The answer to an acknowledged write, None for one that was refused for now."""
        principal = self._signer.principal(oracle.tenant, "tracking")
        async with session.post(
            f"{self._url}/api/2.0/mlflow/{path}",
            json=body,
            headers={PRINCIPAL_HEADER: principal},
            timeout=aiohttp.ClientTimeout(total=20),
        ) as reply:
            oracle.answers[reply.status] += 1
            if reply.status == 200:
                answer = await reply.json()
                oracle.last_success = time.monotonic()
                return answer
            oracle.last_failure = time.monotonic()
            if reply.status != 503 or "retry-after" not in reply.headers:
                oracle.unexpected.append(f"{path}: {reply.status} {await reply.text()}")
            await asyncio.sleep(0.1)
            return None


def _metrics(number: int) -> list[dict[str, Any]]:
    return [
        {"key": "m", "value": number + step, "timestamp": number, "step": step}
        for step in range(POINTS)
    ]


@asynccontextmanager
async def writing(url: str, signer: Signer, *oracles: Oracle) -> AsyncIterator[Writers]:
    """The writers of these oracles' tenants at work; they pause while `open` is cleared."""
    writers = Writers(url, signer)
    turns = itertools.islice(itertools.cycle(oracles), WRITERS)
    tasks = [asyncio.create_task(writers.write(oracle)) for oracle in turns]
    try:
        yield writers
    finally:
        # Each hears what becomes of its last write, or it would not be known.
        writers.ending = True
        writers.open.set()
        await asyncio.gather(*tasks)
