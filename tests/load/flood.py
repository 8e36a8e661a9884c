"""Eight stock mlflow clients at five times their limit: `python -m tests.load.flood`.

A training is never stopped: no client sees an exception, and every metric is stored.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg

from libs.common.contracts.plans import PLANS
from libs.embedded import Parts, Progress, platform
from libs.embedded.environment import as_user
from tests.deployments import Deployment, deployed
from tests.load.placing import place

PAGE: Final = Path(__file__).parents[2] / "docs" / "limits.md"
CLIENTS: Final = Path(__file__).with_name("flood_clients.py")
PLAN: Final = "free"
TIMES: Final = 5
_COUNTED: Final = re.compile(
    r'maestro_gateway_limited_total\{[^}]*outcome="(\w+)",tier="\w+"\} ([\d.]+)'
)


@dataclass(frozen=True)
class Flood:
    """What the clients say, and what the gateway counted meanwhile."""

    delay: float
    seconds: float
    logged: int
    stored: int
    slowest: float
    problems: list[str]
    delayed: int
    refused: int

    def row(self) -> str:
        """A line of the table."""
        return (
            f"| {self.delay:g} s | {self.seconds:g} s | {self.logged:,} | {self.stored:,}"
            f" | {len(self.problems)} | {self.delayed:,} | {self.refused:,} | {self.slowest:.1f} s |"
        )


HEAD: Final = (
    "| delay | for | logged | stored | exceptions | delayed | 429 | slowest call |",
    "|---|---|---|---|---|---|---|---|",
)


async def put_on_plan(parts: Parts, plan: str) -> None:
    """The first tenant's plan, before anybody has asked for anything."""
    admin = parts.environment["MAESTRO_POSTGRES_URL"]
    url = as_user(admin, "postgres", parts.home.secret("postgres-superuser"))
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE auth.tenants SET plan = $1 WHERE tenant_no = 1", plan)
    finally:
        await connection.close()


async def flood(deployment: Deployment, folder: Path, seconds: float, delay: float) -> Flood:
    """Let the clients write at five times a principal's limit."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CLIENTS), str(seconds), str(TIMES * PLANS[PLAN].principal_rps)),
        cwd=folder,
        env={
            "PATH": os.defpath,
            "HOME": str(folder),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_TRACKING_URI": deployment.url,
            "MLFLOW_TRACKING_TOKEN": deployment.token,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complained = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode != 0:
        raise RuntimeError(complained.decode(errors="replace")[-4000:])
    found = json.loads(said.decode().strip().splitlines()[-1])
    counted = await limited(deployment)
    return Flood(
        delay,
        seconds,
        logged=sum(one["logged"] for one in found),
        stored=sum(one["stored"] for one in found),
        slowest=max(one["slowest"] for one in found),
        problems=[problem for one in found for problem in one["problems"]],
        delayed=counted.get("delayed", 0),
        refused=counted.get("refused", 0),
    )


async def limited(deployment: Deployment) -> dict[str, int]:
    """How many requests the gateway delayed and refused, over all tiers."""
    counted: dict[str, int] = {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{deployment.url}/metrics") as reply,
    ):
        for outcome, count in _COUNTED.findall(await reply.text()):
            counted[outcome] = counted.get(outcome, 0) + int(float(count))
    return counted


async def run(delays: Sequence[float], seconds: float) -> list[Flood]:
    """A platform of its own for each delay."""
    found = []
    for delay in delays:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            env = {k: v for k, v in os.environ.items() if not k.startswith("MAESTRO_")}
            parts = await stack.enter_async_context(
                platform(folder / "home", {**env, "MAESTRO_PORT": "0"}, Progress(print))
            )
            given = {
                **parts.environment,
                "GATEWAY_DELAY_SECONDS": str(delay),
                "MAESTRO_LOG_LEVEL": "WARNING",
            }
            deployment = await stack.enter_async_context(deployed(given, folder))
            await put_on_plan(parts, PLAN)
            found.append(await flood(deployment, folder, seconds, delay))
            print(found[-1].row(), *found[-1].problems[:5], sep="\n", flush=True)
    return found


def main() -> int:
    """Flood, print, and end with 1 where a client saw an exception or a metric is lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.flood", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long they write")
    parser.add_argument("--delays", type=float, nargs="+", default=[10.0, 0.5])
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    asked = parser.parse_args()
    found = asyncio.run(run(asked.delays, asked.seconds))
    lines = [*HEAD, *(one.row() for one in found)]
    print(*lines, sep="\n")
    if asked.write:
        place(PAGE, "flood", lines)
    return 1 if any(one.problems or one.stored != one.logged for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
