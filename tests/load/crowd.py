"""Many kept-alive connections on one process: most wait, some ask, and none may fail."""

import resource
from dataclasses import dataclass
from typing import Final

from tests.load.content import Corpus
from tests.load.operations import OPERATIONS, Site
from tests.load.pacing import Pool
from tests.load.tally import Tally

OPEN: Final = 5000
ACTIVE: Final = 2000
RATE: Final = 1000.0
# Besides the connections: what a process has open anyway.
_SPARE_FILES: Final = 500


@dataclass(frozen=True)
class Crowd:
    """What was opened, what asked, and what went wrong: failed requests, closed connections."""

    opened: int
    active: int
    closed: int
    tally: Tally

    @property
    def errors(self) -> int:
        """Requests that failed, and connections that ended by themselves."""
        return self.closed + self.tally.failed


def allowed(wanted: int) -> int:
    """How many connections a process may have open, at most `wanted`; raises the limit to that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - _SPARE_FILES)


async def crowd(site: Site, corpus: Corpus, seconds: float, wanted: int = OPEN) -> Crowd:
    """Open them and let each ask once, then some in turn, and at the end the others once more."""
    opened = allowed(wanted)
    active = opened * ACTIVE // OPEN
    reads = OPERATIONS["get-run"](site, corpus)
    waiting, asking = Pool(site.place, reads), Pool(site.place, reads)
    try:
        await waiting.connect(opened - active)
        # A connection that never asks anything is closed soon; one that has asked may wait.
        await waiting.run(RATE, (opened - active) / RATE)
        await asking.connect(active)
        tally = await asking.run(RATE, seconds)
        # Whether those that waited are still served is seen by asking.
        others = await waiting.run(RATE, (opened - active) / RATE)
        tally.acknowledged += others.acknowledged
        tally.broken += others.failed
        tally.example = tally.example or others.example
        return Crowd(opened, active, waiting.closed + asking.closed, tally)
    finally:
        await waiting.leave()
        await asking.leave()
