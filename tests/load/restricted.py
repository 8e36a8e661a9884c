"""What permissions cost a search: 10,000 experiments, of which 50 prefixes show some.

`python -m tests.load.restricted` starts the embedded parts and tracking in this process, and asks
the same searches in turns as somebody who may see all and as others whose 50 prefixes hold fewer.
Prints a table for docs/performance.md.
"""

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any, Final

import asyncpg

from libs.common.contracts.auth import AccessRule
from libs.embedded import Parts, Progress, platform
from libs.embedded.environment import as_user
from services.tracking.service import SERVICE
from tests.serving import Client, served
from tests.signing import access_by

EXPERIMENTS: Final = 10_000
TEAMS: Final = 200
PREFIXES: Final = 50
ROUNDS: Final = 60
UNCOUNTED: Final = 10
READING: Final = ["experiment.read", "run.read", "run.log"]
_EXPERIMENTS: Final = """
INSERT INTO experiments (tenant_no, experiment_id, workspace_id, name, artifact_location,
                         creation_time, last_update_time, created_by)
SELECT $1, i, 1, format('team-%s/%s', lpad((i % $3)::text, 3, '0'), lpad(i::text, 5, '0')), '', i,
       i, 'bench'
FROM generate_series(1, $2) AS i
"""
_RUNS: Final = """
INSERT INTO runs (tenant_no, experiment_id, run_id, workspace_id, start_time, status, name, user_id,
                  artifact_uri, created_by)
SELECT $1, i, gen_random_uuid(), 1, i, 'RUNNING', 'run', 'bench', '', 'bench'
FROM generate_series(1, $2) AS i
"""
# Experiment 1, one of team 1, is within all of them.
SINGLES: Final = [f"team-{i % TEAMS:03}/{i:05}*" for i in range(1, EXPERIMENTS, 201)]
WHOLE: Final = [f"team-{team:03}/*" for team in range(PREFIXES)]
SEEN: Final = {
    "2,500": WHOLE,
    "1,079": [*WHOLE[:21], *SINGLES[21:]],
    "540": [*WHOLE[:10], *SINGLES[10:]],
    "50": SINGLES,
}
FAR_AHEAD: Final = 2**31


async def main() -> None:
    """Seed, measure, print."""
    with tempfile.TemporaryDirectory() as folder:
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAESTRO_")}
        home = Path(folder) / "home"
        async with (
            platform(home, {**env, "MAESTRO_PORT": "0"}, Progress(print)) as parts,
            served(SERVICE, parts.environment) as client,
        ):
            # The topics of services that do not run here are not there, which is no matter.
            logging.disable()
            await _seed(client)
            await _analyse(parts)
            await _measure(client)


async def _seed(client: Client) -> None:
    await client.get("experiments/get", "experiment_id=0")
    tenant_no = client.tenant.number
    async with client.running.database.transaction(tenant_no) as connection:
        await connection.execute(_EXPERIMENTS, tenant_no, EXPERIMENTS, TEAMS)
        await connection.execute(_RUNS, tenant_no, EXPERIMENTS)


async def _analyse(parts: Parts) -> None:
    """What autovacuum does a minute after so many rows."""
    admin = parts.environment["MAESTRO_POSTGRES_URL"]
    url = as_user(admin, "postgres", parts.home.secret("postgres-superuser"))
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _measure(client: Client) -> None:
    people = [_subject(client, "all", ["*"], role="owner")]
    people += [_subject(client, name, patterns) for name, patterns in SEEN.items()]
    every = [str(number) for number in range(1, EXPERIMENTS + 1)]
    made = await client.post("runs/create", {"experiment_id": "1"})
    run_id = made["run"]["info"]["run_id"]
    operations: dict[str, tuple[str, dict[str, Any]]] = {
        "search-experiments, page of 100": ("experiments/search", {"max_results": 100}),
        "search-experiments, page of 1,000": ("experiments/search", {"max_results": 1000}),
        "search-runs in 100 experiments": (
            "runs/search",
            {"experiment_ids": every[:100], "max_results": 100},
        ),
        "search-runs in 10,000 experiments": (
            "runs/search",
            {"experiment_ids": every, "max_results": 100},
        ),
        "log-metric": (
            "runs/log-metric",
            {"run_id": run_id, "key": "m", "value": 1, "timestamp": 1},
        ),
    }
    print(f"| P10 ms, by experiments seen | {' | '.join(people)} |")
    print(f"|---{'|---' * len(people)}|")
    for name, (path, body) in operations.items():
        found = await _turns([_asking(client, who, path, body) for who in people])
        shown = [f"{seconds * 1000:.1f} ({seconds / found[0]:.2f} ×)" for seconds in found[1:]]
        print(f"| {name} | {found[0] * 1000:.1f} | {' | '.join(shown)} |", flush=True)


def _subject(client: Client, name: str, patterns: list[str], role: str = "") -> str:
    rules = [
        AccessRule(
            rule_id=pattern,
            effect="allow",
            permissions=READING,
            kind="experiment",
            workspace_id=1,
            pattern=pattern,
        )
        for pattern in patterns
    ]
    client.signer.access[name] = access_by(name, role, *rules)
    return name


def _asking(client: Client, subject: str, path: str, body: dict[str, Any]) -> Callable[[], Any]:
    principal = client.signer.principal(client.tenant, "tracking", sub=subject, exp=FAR_AHEAD)
    voice = _Voice(client, principal)

    async def ask() -> None:
        await voice.post(path, body)

    return ask


class _Voice(Client):
    """The client with one principal that was signed before the clock runs."""

    def __init__(self, client: Client, principal: str) -> None:
        super().__init__(client.app, client.running, client.signer, client.tenant)
        self.signer = _Signed(principal)  # type: ignore[assignment]


class _Signed:
    def __init__(self, principal: str) -> None:
        self._principal = principal

    def principal(self, *_: object) -> str:
        return self._principal


async def _turns(askings: list[Callable[[], Any]]) -> list[float]:
    """The seconds of each that a tenth stay below, asked in turns: others may use the machine too."""
    seconds: list[list[float]] = [[] for _ in askings]
    for number in range(UNCOUNTED + ROUNDS):
        for taken, ask in zip(seconds, askings, strict=True):
            began = perf_counter()
            await ask()
            if number >= UNCOUNTED:
                taken.append(perf_counter() - began)
    return [quantiles(taken, n=10)[0] for taken in seconds]


if __name__ == "__main__":
    asyncio.run(main())
