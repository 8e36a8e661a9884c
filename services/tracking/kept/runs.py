"""Runs as they are shown: from this process, from Redis, or read and kept under a stamp.

A run's stamp stands in Redis. A reader asks for it each time, makes it where there is none *before*
it reads the database, and keeps what it read under the stamp it began with. A writer takes the stamp
away after its COMMIT and before its answer. So what was read before a write is never used after it,
in however many processes, whoever was faster.

A stamp lives for a few seconds at most. That bounds what a writer can leave behind that does not
reach Redis, and whoever has lost the connection believes nothing there before that time is over:
other writers may not have reached it either.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

from services.tracking.kept.link import Link
from services.tracking.kept.memory import Entry, Memory, Shown
from services.tracking.kept.sealing import RunSeal
from services.tracking.metrics import RUNS_FOUND

STAMP_BYTES: Final = 12
# What is larger stands in the memory of a process alone: Redis has others to serve.
LARGEST_IN_REDIS: Final = 256 * 1024
_NAMES_A_COMMAND: Final = 100

Load = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, Shown]]]


class Runs:
    """What runs show. `seconds` is the life of a stamp, 0 where nothing is to be kept."""

    def __init__(self, link: Link, seal: RunSeal, *, seconds: float, most_bytes: int) -> None:
        self._link = link
        self._seal = seal
        self._seconds = seconds
        self._life = b"%d" % int(seconds * 1000)
        self._memory = Memory(most_bytes)

    @property
    def believing(self) -> bool:
        """Whether all that Redis holds was put there while this process was connected to it."""
        return 0 < self._seconds < self._link.unbroken

    async def find(
        self, tenant_no: int, workspace_id: int, runs: Sequence[UUID], load: Load
    ) -> Mapping[UUID, Shown]:
        """What runs show, without those that are not there; `load` reads from the database."""
        stamps = await self._stamps(tenant_no, runs)
        if stamps is None:
            RUNS_FOUND["unkept"].inc(len(runs))
            return await load(runs)
        found: dict[UUID, Shown] = {}
        missing: dict[UUID, bytes | None] = {}
        for run, stamp in zip(runs, stamps, strict=True):
            shown = stamp and self._memory.get(tenant_no, workspace_id, run, stamp)
            if shown:
                found[run] = shown
            else:
                missing[run] = stamp
        RUNS_FOUND["memory"].inc(len(found))
        if missing:
            found.update(await self._missing(tenant_no, workspace_id, missing, load))
        return found

    async def forget(self, changed: Iterable[tuple[int, UUID]]) -> None:
        """What these runs (tenant, run) showed before is used by nobody from now on."""
        names: list[bytes] = []
        for tenant_no, run in changed:
            self._memory.drop(tenant_no, run)
            names.append(_stamp_name(tenant_no, run))
        for at in range(0, len(names), _NAMES_A_COMMAND):
            await self._link.deliver(b"DEL", *names[at : at + _NAMES_A_COMMAND])

    async def _stamps(self, tenant_no: int, runs: Sequence[UUID]) -> list[bytes | None] | None:
        """The stamp of each run; None where none of them is to be believed."""
        if not self.believing:
            return None
        return await self._values([_stamp_name(tenant_no, run) for run in runs])

    async def _missing(
        self,
        tenant_no: int,
        workspace_id: int,
        missing: Mapping[UUID, bytes | None],
        load: Load,
    ) -> Mapping[UUID, Shown]:
        stamped = {run: stamp for run, stamp in missing.items() if stamp is not None}
        found = await self._from_redis(tenant_no, workspace_id, stamped) if stamped else {}
        left = [run for run in missing if run not in found]
        if left:
            stamps = stamped | await self._stamp(tenant_no, [r for r in left if r not in stamped])
            # Only now: what is read from here on is kept under stamps that stood before.
            loaded = await load(left)
            for run, shown in loaded.items():
                if run in stamps:
                    self._keep(tenant_no, workspace_id, run, stamps[run], shown)
            found.update(loaded)
            RUNS_FOUND["database"].inc(len(left))
        return found

    async def _from_redis(
        self, tenant_no: int, workspace_id: int, stamped: Mapping[UUID, bytes]
    ) -> dict[UUID, Shown]:
        names = [_run_name(tenant_no, workspace_id, run) for run in stamped]
        values = await self._values(names)
        found: dict[UUID, Shown] = {}
        for (run, stamp), name, value in zip(stamped.items(), names, values or (), strict=False):
            shown = None if value is None else self._seal.open(name, stamp, value)
            if shown is not None:
                found[run] = shown
                self._memory.put(tenant_no, run, Entry(workspace_id, stamp, shown))
        RUNS_FOUND["redis"].inc(len(found))
        return found

    async def _stamp(self, tenant_no: int, runs: Sequence[UUID]) -> dict[UUID, bytes]:
        """Stamp runs that have none; without those that others have stamped meanwhile."""
        made = {run: os.urandom(STAMP_BYTES) for run in runs}
        answers = [
            self._link.ask(b"SET", _stamp_name(tenant_no, run), stamp, b"NX", b"PX", self._life)
            for run, stamp in made.items()
        ]
        return {
            run: made[run]
            for run, answer in zip(runs, answers, strict=True)
            if await answer == b"OK"
        }

    def _keep(
        self, tenant_no: int, workspace_id: int, run: UUID, stamp: bytes, shown: Shown
    ) -> None:
        self._memory.put(tenant_no, run, Entry(workspace_id, stamp, shown))
        if shown.size > LARGEST_IN_REDIS:
            return
        name = _run_name(tenant_no, workspace_id, run)
        # Nobody waits for it: where it does not arrive, another process reads the database too.
        self._link.ask(b"SET", name, self._seal.seal(name, stamp, shown), b"PX", self._life)

    async def _values(self, names: Sequence[bytes]) -> list[bytes | None] | None:
        """What stands under names; None where Redis does not say."""
        if len(names) == 1:
            value = await self._link.ask(b"GET", names[0])
            return [value] if isinstance(value, bytes | None) else None
        answers = [
            self._link.ask(b"MGET", *names[at : at + _NAMES_A_COMMAND])
            for at in range(0, len(names), _NAMES_A_COMMAND)
        ]
        values: list[bytes | None] = []
        for answer in answers:
            reply = await answer
            if not isinstance(reply, list):
                return None
            values += [item if isinstance(item, bytes) else None for item in reply]
        return values


def _stamp_name(tenant_no: int, run: UUID) -> bytes:
    return b"tracking:stamp:%d:%b" % (tenant_no, run.hex.encode())


def _run_name(tenant_no: int, workspace_id: int, run: UUID) -> bytes:
    return b"tracking:run:%d:%d:%b" % (tenant_no, workspace_id, run.hex.encode())
