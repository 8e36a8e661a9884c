"""What one tenant's flood does to another: `python -m tests.load.fairness`.

Tenant B asks calmly, twenty times a second, while tenant A is silent and while it floods, in turns.
A does not honour Retry-After: it asks again as soon as it is answered, over many connections.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from contextlib import AsyncExitStack
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import quantiles
from typing import Any, Final
from uuid import uuid4

import aiohttp
import asyncpg
import uvloop

from libs.embedded import Parts, Progress, platform
from libs.embedded.environment import as_user
from services.auth.model.secrets import digest, new_secret
from services.auth.store.identity import NewToken, add_member, add_tenant, add_token
from tests.deployments import deployed
from tests.load.flood import put_on_plan
from tests.load.placing import place

PAGE: Final = Path(__file__).parents[2] / "docs" / "limits.md"
CONNECTIONS: Final = 32
PACE: Final = 0.05
TURNS: Final = 6
API: Final = "/api/2.0/mlflow"
Latencies = dict[str, list[float]]


async def new_tenant(parts: Parts, name: str, plan: str) -> str:
    """Another tenant with an owner; the owner's token."""
    admin = parts.environment["MAESTRO_POSTGRES_URL"]
    url = as_user(admin, "postgres", parts.home.secret("postgres-superuser"))
    connection = await asyncpg.connect(url, server_settings={"search_path": "auth"})
    secret = new_secret()
    try:
        async with connection.transaction():
            number = await add_tenant(connection, uuid4(), name, plan)
            user = uuid4()
            await add_member(connection, number, user, f"{name}-owner", "owner")
            token = NewToken(
                token_id=uuid4(),
                digest=digest(secret),
                name="first",
                user_id=user,
                workspace_id=1,
                scopes=("*",),
                expires_in_days=30,
            )
            await add_token(connection, number, token)
    finally:
        await connection.close()
    return secret


async def new_run(url: str, token: str) -> str:
    """A run of its own for a tenant."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        body = {"experiment_id": "0", "start_time": 1}
        async with session.post(f"{url}{API}/runs/create", json=body) as reply:
            reply.raise_for_status()
            found: dict[str, Any] = await reply.json()
    return str(found["run"]["info"]["run_id"])


def point(run_id: str, step: int) -> bytes:
    """A point to log."""
    named = {"run_id": run_id, "key": "loss", "value": 1.0, "timestamp": 1, "step": step}
    return json.dumps(named).encode()


def flood(url: str, token: str, run_id: str, on: Event, over: Event) -> None:
    """A process that floods whenever it is told to."""
    uvloop.run(_flood(url, token, run_id, on, over))


async def _flood(url: str, token: str, run_id: str, on: Event, over: Event) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def one(session: aiohttp.ClientSession, number: int) -> None:
        step = 0
        while not over.is_set():
            if not on.is_set():
                await asyncio.sleep(0.02)
                continue
            step += 1
            if number % 2:
                body = point(run_id, number * 1_000_000 + step)
                asked = session.post(f"{url}{API}/runs/log-metric", data=body)
            else:
                asked = session.get(f"{url}{API}/runs/get?run_id={run_id}")
            try:
                async with asked as reply:
                    await reply.read()
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        await asyncio.gather(*(one(session, number) for number in range(CONNECTIONS)))


async def probe(url: str, token: str, run_id: str, seconds: float, found: Latencies) -> int:
    """B's calm requests; how many were not answered with 200."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    failed = 0
    async with aiohttp.ClientSession(headers=headers) as session:

        async def ask(name: str, number: int) -> None:
            nonlocal failed
            began = time.perf_counter()
            if name == "log-metric":
                body = point(run_id, time.monotonic_ns() // 1000)
                asked = session.post(f"{url}{API}/runs/log-metric", data=body)
            else:
                asked = session.get(f"{url}{API}/runs/get?run_id={run_id}")
            async with asked as reply:
                await reply.read()
                failed += reply.status != 200
            found[name].append(1000 * (time.perf_counter() - began))

        due = time.monotonic()
        tasks = []
        for number in range(int(seconds / PACE)):
            due += PACE
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            name = "log-metric" if number % 2 else "get-run"
            tasks.append(asyncio.create_task(ask(name, number)))
        await asyncio.gather(*tasks)
    return failed


async def run(seconds: float, *, separate: bool) -> list[str]:
    """Both tenants on a platform of their own; the table."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAESTRO_")}
        parts = await stack.enter_async_context(
            platform(folder / "home", {**env, "MAESTRO_PORT": "0"}, Progress(print))
        )
        given = {**parts.environment, "MAESTRO_LOG_LEVEL": "WARNING"}
        deployment = await stack.enter_async_context(deployed(given, folder, separate=separate))
        await put_on_plan(parts, "free")
        url, a = deployment.url, deployment.token
        b = await new_tenant(parts, "calm", "team")
        run_a, run_b = await new_run(url, a), await new_run(url, b)
        fresh = multiprocessing.get_context("spawn")
        on, over = fresh.Event(), fresh.Event()
        flooding = fresh.Process(target=flood, args=(url, a, run_a, on, over))
        flooding.start()
        states: dict[bool, Latencies] = {
            state: {"get-run": [], "log-metric": []} for state in (False, True)
        }
        failed = 0
        try:
            await probe(url, b, run_b, 2, {"get-run": [], "log-metric": []})
            for turn in range(2 * TURNS):
                flooded = bool(turn % 2)
                (on.set if flooded else on.clear)()
                await probe(url, b, run_b, 0.5, {"get-run": [], "log-metric": []})
                failed += await probe(url, b, run_b, seconds, states[flooded])
        finally:
            over.set()
            flooding.join(30)
    return [*rows(states), "", f"Requests of B that failed: {failed}."]


def rows(states: dict[bool, Latencies]) -> list[str]:
    """The table: percentiles of B, A silent and flooding."""
    lines = [
        "| B asks | A silent: P50 / P99 ms | A floods: P50 / P99 ms | P99 moved by |",
        "|---|---|---|---|",
    ]
    for name in ("get-run", "log-metric"):
        quiet, flooded = (quantiles(states[state][name], n=100) for state in (False, True))
        moved = 100 * (flooded[98] / quiet[98] - 1)
        lines.append(
            f"| {name} | {quiet[49]:.1f} / {quiet[98]:.1f} | {flooded[49]:.1f} / {flooded[98]:.1f}"
            f" | {moved:+.0f} % |"
        )
    return lines


def main() -> None:
    """Measure, print, and with --write put it into docs/limits.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.fairness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of twelve turns")
    parser.add_argument("--separate", action="store_true", help="a process for each service")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    asked = parser.parse_args()
    lines = asyncio.run(run(asked.seconds, separate=asked.separate))
    print(*lines, sep="\n")
    if asked.write:
        place(PAGE, "fairness", lines)


if __name__ == "__main__":
    main()
