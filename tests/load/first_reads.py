"""Runs read for the first time, each once: what a cache cannot have yet."""

import asyncio
import random
from collections.abc import Sequence
from time import perf_counter

from tests.load.asking import Unexpected, line_to
from tests.load.content import METRICS, PARAMS, TAGS
from tests.load.operations import Site, get_requests
from tests.load.tally import Tally


async def first_reads(site: Site, clients: int) -> Tally:
    """All prepared runs in an order drawn at random, over so many connections."""
    named = list(zip(get_requests(site), site.corpus_runs, strict=True))
    random.Random(29).shuffle(named)
    return await asked_once(site, named, clients)


async def asked_once(site: Site, named: Sequence[tuple[bytes, str]], clients: int) -> Tally:
    """Each request once; right is a whole run with the name that stands beside it."""
    tally = Tally()
    waiting = iter(named)

    async def work() -> None:
        async with line_to(site) as line:
            for request, run in waiting:
                asked_at = perf_counter()
                try:
                    body = await line.ask(request)
                except Unexpected as problem:
                    tally.broken += 1
                    tally.example = tally.example or str(problem)
                    return
                if run.encode() in body and body.count(b'"key"') == METRICS + PARAMS + TAGS:
                    tally.measured += 1
                    tally.latencies.append(perf_counter() - asked_at)
                else:
                    tally.note(200, body)

    began = perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    tally.seconds = perf_counter() - began
    tally.acknowledged = tally.measured
    return tally
