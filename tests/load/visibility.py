"""How long after its answer a new run stands in the registry's read model."""

import asyncio
import json
from time import perf_counter
from typing import Final

import asyncpg

from tests.load.asking import line_to
from tests.load.operations import Site

UNCOUNTED: Final = 5
PAUSE_SECONDS: Final = 0.05
POLL_SECONDS: Final = 0.001
PATIENCE_SECONDS: Final = 10.0
_SEEN: Final = "SELECT true FROM registry.known_runs WHERE run_id = $1"


async def visibility(site: Site, superuser_url: str, runs: int) -> list[float]:
    """The sorted seconds from answer to visible row of `runs` runs, made one after the other.

    A few more before them are not counted: at the first one the registry may not listen yet.
    """
    connection = await asyncpg.connect(superuser_url)
    seen = await connection.prepare(_SEEN)
    body = {"experiment_id": site.experiments["visible"], "start_time": 1, "run_name": "seen"}
    request = site.request("POST", "runs/create", json.dumps(body).encode())
    found: list[float] = []
    try:
        async with line_to(site) as line:
            for _ in range(UNCOUNTED + runs):
                run = json.loads(await line.ask(request))["run"]["info"]["run_id"]
                answered = perf_counter()
                while not await seen.fetchval(run):
                    await asyncio.sleep(POLL_SECONDS)
                    if perf_counter() - answered > PATIENCE_SECONDS:
                        raise TimeoutError(f"run {run} is not in the registry's read model")
                found.append(perf_counter() - answered)
                await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await connection.close()
    return sorted(found[UNCOUNTED:])
