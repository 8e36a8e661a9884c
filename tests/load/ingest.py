"""How fast events of producers are committed: topic to rows, one consumer process.

`python -m tests.load.ingest` starts the embedded parts, puts messages of 1,000 points each into the
topic for 64 runs, and only then starts tracking's consumer in this process, with nothing else to
do. The time runs from its first batch to the last commit; rows are counted by SQL and compared.
"""

import argparse
import asyncio
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import asyncpg
import psutil

from libs.common.events.messages import Message, Unfit
from libs.common.runner import running
from libs.common.service import Running
from libs.embedded import Parts, Progress, platform
from libs.embedded.environment import as_user
from services.tracking.consumers import INGESTION
from services.tracking.service import SERVICE
from tests.load.resources import tree, usage
from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.producing import Producing, producing
from tests.serving import Client, served
from tests.waiting import eventually

POINTS_A_MESSAGE: Final = 1_000
RUNS: Final = 64
KEYS: Final = 10
_COUNT: Final = """
SELECT count(*), count(DISTINCT (p.run_no, p.key_no, p.step)) FROM (
    SELECT run_no, key_no, step FROM tracking.metric_points WHERE tenant_no = $1
    UNION ALL
    SELECT s.run_no, s.key_no, tracking.step_at(s, place)
    FROM tracking.metric_segments s CROSS JOIN generate_series(1, s.points) AS place
    WHERE s.tenant_no = $1
) p
"""


@dataclass
class Watch:
    """Sees batches go by: when the first began, and what has been committed since."""

    begun: float = 0.0
    ended: float = 0.0
    messages: int = 0
    batches: int = 0
    processor: float = 0.0

    async def __call__(self, running: Running, messages: Sequence[Message]) -> list[Unfit | None]:
        """Apply a batch as tracking does."""
        assert INGESTION.batch is not None
        if not self.begun:
            self.begun, self.processor = time.perf_counter(), time.process_time()
        answers = await INGESTION.batch(running, messages)
        assert not any(answers), answers
        self.ended = time.perf_counter()
        self.messages += len(messages)
        self.batches += 1
        return answers


async def main(options: argparse.Namespace) -> None:
    """Seed, measure and print, a form after the other."""
    with tempfile.TemporaryDirectory() as folder:
        logging.disable(logging.WARNING)
        async with platform(Path(folder), dict(os.environ), Progress(print)) as parts:
            for number in range(options.rounds):
                for packed in (False, True):
                    await measure(parts, options.points // POINTS_A_MESSAGE, packed, number)


async def measure(parts: Parts, count: int, packed: bool, number: int) -> None:
    """Put messages into the topic, then apply them; prints how fast."""
    env = {**parts.environment, "MAESTRO_INSTANCE": f"load-{packed}-{number}"}
    quiet = replace(SERVICE, subscriptions=(INGESTION,), workers=())
    async with AsyncExitStack() as stack:
        # Ingestion is declared, so that its topic is made, and does not run yet.
        held = replace(INGESTION, batch=_hold)
        client = await stack.enter_async_context(served(replace(quiet, subscriptions=(held,)), env))
        producer = await stack.enter_async_context(producing(env))
        experiment = await new_experiment(client)
        runs = [await new_run(client, experiment) for _ in range(RUNS)]
        size = await fill(client, producer, runs, count, packed)
        tenant, signer = client.tenant.number, client.signer
    watch = Watch()
    measured = replace(quiet, subscriptions=(replace(INGESTION, batch=watch),))
    postgres = _postgres(parts)
    async with running(measured, env, {"auth": signer}):
        before = usage(tree(postgres), memory=False).seconds
        await eventually(lambda: watch.messages >= count, within=600, pause=0.1)
        theirs = usage(tree(postgres), memory=False).seconds - before
        ours = time.process_time() - watch.processor
    seconds = watch.ended - watch.begun
    points = watch.messages * POINTS_A_MESSAGE
    rows, distinct = await counted(parts, tenant)
    assert (rows, distinct) == (points, points), (rows, distinct, points)
    print(
        f"{'msgpack' if packed else 'JSON':<8} {points:>9,} points, {size / points:5.1f} bytes each,"
        f" {watch.batches} batches, {seconds:6.2f} s: {points / seconds:>9,.0f} points/s;"
        f" processor: consumer {ours:5.2f} s, PostgreSQL {theirs:5.2f} s; rows {rows:,}"
    )


async def fill(
    client: Client, producer: Producing, runs: Sequence[str], count: int, packed: bool
) -> int:
    """Publish messages of points, all distinct, to the runs in turn; how many bytes they have."""
    size, pending = 0, []
    each = POINTS_A_MESSAGE // KEYS
    for number in range(count):
        first = number // len(runs) * each
        steps = list(range(first, first + each))
        metrics = [
            {
                "key": f"train/metric_{key}",
                "values": [0.5 + (step * 7919 + key) % 100_003 / 100_003 for step in steps],
                "times": [1_767_225_600_000 + step * 250 for step in steps],
                "steps": steps,
            }
            for key in range(KEYS)
        ]
        message = await producer.message(
            client,
            runs[number % len(runs)],
            packed=packed,
            event_id=str(uuid.uuid4()),
            metrics=metrics,
        )
        size += len(message.body)
        pending.append(message)
        if len(pending) == 100:
            await producer.send(*pending)
            pending.clear()
    await producer.send(*pending)
    return size


async def counted(parts: Parts, tenant_no: int) -> tuple[int, int]:
    """How many rows of points a tenant has, and how many different ones."""
    admin = parts.environment["MAESTRO_POSTGRES_URL"]
    connection = await asyncpg.connect(
        as_user(admin, "postgres", parts.home.secret("postgres-superuser"))
    )
    try:
        row = await connection.fetchrow(_COUNT, tenant_no)
        return row[0], row[1]
    finally:
        await connection.close()


async def _hold(_: Running, messages: Sequence[Message]) -> list[Unfit | None]:
    await asyncio.Event().wait()
    return [None for _ in messages]


def _postgres(parts: Parts) -> int:
    """The process of PostgreSQL's postmaster."""
    assert parts.postgres is not None
    file = next(parts.home.path.rglob("postmaster.pid"))
    pid = int(file.read_text().split("\n", 1)[0])
    assert psutil.pid_exists(pid)
    return pid


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.ingest", description=__doc__)
    parser.add_argument("--points", type=int, default=2_000_000, help="points a form and round")
    parser.add_argument("--rounds", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(_options()))
