"""Clients that write without a break and remember, outside of all services, what was acknowledged."""

import asyncio
import itertools
import random
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

WRITERS = 16
PACE_SECONDS = 0.1


@dataclass
class Oracle:
    """What clients were told, whatever happened afterwards."""

    tenant: Tenant = field(default_factory=new_tenant)
    runs: dict[str, int] = field(default_factory=dict)
    experiments: dict[str, str] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    last_failure: float = 0.0
    last_success: float = 0.0

    @property
    def acknowledged(self) -> int:
        """How many writes were acknowledged: each run's changes and each experiment."""
        return sum(self.runs.values()) + len(self.experiments)


class Writers:
    """Sixteen clients of tracking, each with a connection of its own."""

    def __init__(self, url: str, signer: Signer, oracle: Oracle) -> None:
        self._url = url
        self._signer = signer
        self._numbers = itertools.count()
        self.oracle = oracle
        self.open = asyncio.Event()

    async def write(self) -> None:
        """Write for ever, whenever the service may be there."""
        async with aiohttp.ClientSession() as session:
            while True:
                await self.open.wait()
                try:
                    await self._round(session)
                except (aiohttp.ClientError, OSError, TimeoutError):
                    self.oracle.answers[0] += 1
                    await asyncio.sleep(0.05)
                # As many as there are, they leave the services some time for their facts.
                await asyncio.sleep(PACE_SECONDS * random.random())

    async def _round(self, session: aiohttp.ClientSession) -> None:
        number = next(self._numbers)
        if number % 7 == 3:
            name = f"experiment {number}"
            made = await self._post(session, "experiments/create", {"name": name})
            if made is not None:
                self.oracle.experiments[made["experiment_id"]] = name
            return
        asked = {"experiment_id": "0", "run_name": f"run {number}", "start_time": number}
        made = await self._post(session, "runs/create", asked)
        if made is None:
            return
        run_id = made["run"]["info"]["run_id"]
        self.oracle.runs[run_id] = 1
        if number % 3 == 0:
            asked = {"run_id": run_id, "status": "FINISHED", "end_time": number}
            if await self._post(session, "runs/update", asked) is not None:
                self.oracle.runs[run_id] = 2

    async def _post(
        self, session: aiohttp.ClientSession, path: str, body: Mapping[str, Any]
    ) -> Any | None:
        """The answer to an acknowledged write, None for one that was refused for now."""
        principal = self._signer.principal(self.oracle.tenant, "tracking")
        async with session.post(
            f"{self._url}/api/2.0/mlflow/{path}",
            json=body,
            headers={PRINCIPAL_HEADER: principal},
            timeout=aiohttp.ClientTimeout(total=20),
        ) as reply:
            self.oracle.answers[reply.status] += 1
            if reply.status == 200:
                answer = await reply.json()
                self.oracle.last_success = time.monotonic()
                return answer
            self.oracle.last_failure = time.monotonic()
            if reply.status != 503 or "retry-after" not in reply.headers:
                self.oracle.unexpected.append(f"{path}: {reply.status} {await reply.text()}")
            await asyncio.sleep(0.1)
            return None


@asynccontextmanager
async def writing(url: str, signer: Signer, oracle: Oracle) -> AsyncIterator[Writers]:
    """The writers at work; they pause while `open` is cleared."""
    writers = Writers(url, signer, oracle)
    tasks = [asyncio.create_task(writers.write()) for _ in range(WRITERS)]
    try:
        yield writers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
