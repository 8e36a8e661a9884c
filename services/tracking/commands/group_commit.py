"""Group commit: writes of many requests in one transaction, each answered after its COMMIT.

DeWitt et al., "Implementation Techniques for Main Memory Database Systems" (1984), section 5. While
a flush is under way the next writes gather; who is alone waits for nobody. Tenants take turns, so that
one with many writes waiting does not hold up another's.
"""

import asyncio
import contextvars
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from libs.common.background import ended
from libs.common.errors import Refusal, unavailable

FLUSHES: Final = 2
# So many writes wait before another flush begins beside the first: fewer gain more by going together.
ENOUGH_FOR_ANOTHER: Final = 64
# For so long at most those are waited for who wrote a moment ago, and no longer than a flush took.
GATHER_SECONDS: Final = 0.005
# After so long a flush of one tenant waits for a lock, or has more to do than others should wait for.
APART_SECONDS: Final = 0.25
MOST_WRITES: Final = 128
# Points, params and tags, so that a flush takes some tens of milliseconds at most.
MOST_ENTRIES: Final = 5_000
MOST_WAITING: Final = 200_000
MOST_WAITING_OF_A_TENANT: Final = 100_000


class LockedOut(Exception):
    """Nothing was stored: somebody held a lock on what one of the tenants writes."""


class Write(Protocol):
    """What a request writes: whose it is, and how many entries; see also `alone`."""

    @property
    def tenant_no(self) -> int: ...
    @property
    def entries(self) -> int: ...
    @property
    def alone(self) -> Hashable | None:
        """What only one write of a flush may have, None where it does not matter."""


W = TypeVar("W", bound=Write)
R = TypeVar("R")


@dataclass(slots=True)
class _Waiting(Generic[W, R]):
    write: W
    answer: "asyncio.Future[R]" = field(default_factory=asyncio.Future)


class GroupCommit(Generic[W, R]):
    """Gathers writes and hands them to `flush`, which answers each when all are committed.

    `flush` raises where nothing was stored. LockedOut: each tenant's writes are flushed by
    themselves, and those of the tenant that waits hold up nobody. Nor does a flush of one tenant
    that takes long: others' writes go on beside it. A 503 (the database is away) is everybody's. Any
    other failure is searched for by halves, and answered to the write that causes it alone.
    """

    def __init__(self, flush: Callable[[Sequence[W]], Awaitable[Sequence[R]]]) -> None:
        self._flush = flush
        self._waiting: OrderedDict[int, deque[_Waiting[W, R]]] = OrderedDict()
        self._entries: dict[int, int] = {}
        self._all_entries = 0
        self._writes = 0
        self._working: set[asyncio.Task[None]] = set()
        # Tenants whose writes are flushed by themselves just now.
        self._apart: dict[int, set[asyncio.Task[None]]] = {}
        self._ending = False
        # How many write just now, and until when they are waited for.
        self._expected = 0
        self._gather_until = 0.0
        self._gathering: asyncio.Future[None] | None = None

    async def commit(self, write: W) -> R:
        """What `flush` answers to this write; a refusal 503 where too much waits already."""
        if self._ending:
            raise _stopping()
        of_tenant = self._entries.get(write.tenant_no, 0) + write.entries
        if of_tenant > MOST_WAITING_OF_A_TENANT or self._all_entries > MOST_WAITING:
            raise unavailable("Too many writes wait for the database; try again.")
        self._entries[write.tenant_no] = of_tenant
        self._all_entries += write.entries
        self._writes += 1
        mine: _Waiting[W, R] = _Waiting(write)
        self._waiting.setdefault(write.tenant_no, deque()).append(mine)
        if self._gathering is not None and self._writes >= self._expected:
            _wake(self._gathering)
        self._begin()
        return await mine.answer

    async def close(self) -> None:
        """End what is under way; who waits is refused with 503."""
        self._ending = True
        await ended([*self._working, *chain.from_iterable(self._apart.values())])
        while self._waiting:
            _, queue = self._waiting.popitem()
            _fail(queue, _stopping())

    def _begin(self) -> None:
        if self._ending:
            return
        enough = not self._working or self._writes >= ENOUGH_FOR_ANOTHER
        if enough and len(self._working) < FLUSHES:
            self._working.add(_task(self._work()))

    async def _work(self) -> None:
        me = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            # Where a flush took long somebody else has its place now.
            while me in self._working:
                await self._gather()
                if not (taken := self._take()):
                    break
                await self._flushed(me, taken)
        finally:
            # Here, not when the task is told to be done: what comes in between would wait for ever.
            self._working.discard(me)

    async def _gather(self) -> None:
        """Wait a moment for those whose last write was in the last flush.

        They have just been answered and are about to write again: with them a flush costs hardly
        more than without, and far less than another. Who is alone waits for nobody.
        """
        loop = asyncio.get_running_loop()
        left = self._gather_until - loop.time()
        if left <= 0 or self._gathering is not None or not 0 < self._writes < self._expected:
            return
        self._gathering = loop.create_future()
        timer = loop.call_later(left, _wake, self._gathering)
        try:
            await self._gathering
        finally:
            timer.cancel()
            self._gathering = None

    async def _flushed(self, me: "asyncio.Task[None]", taken: list[_Waiting[W, R]]) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        tenants = {waiting.write.tenant_no for waiting in taken}
        if len(tenants) > 1:
            await self._settle(taken)
        else:
            await self._settle_of_one(me, tenants.pop(), taken)
        now = clock()
        # Those who have just been answered, and those who came meanwhile.
        self._expected = len(taken) + self._writes
        self._gather_until = now + min(now - began, GATHER_SECONDS)

    async def _settle_of_one(
        self, me: "asyncio.Task[None]", tenant_no: int, taken: list[_Waiting[W, R]]
    ) -> None:
        """Flush what is of one tenant; where that takes long, it keeps its own tenant alone."""
        timer = asyncio.get_running_loop().call_later(APART_SECONDS, self._set_apart, me, tenant_no)
        try:
            await self._settle(taken)
        finally:
            timer.cancel()
            if me in self._apart.get(tenant_no, ()):
                self._back(me, tenant_no)

    def _set_apart(self, task: "asyncio.Task[None]", tenant_no: int) -> None:
        self._working.discard(task)
        self._apart.setdefault(tenant_no, set()).add(task)
        self._begin()

    def _back(self, task: "asyncio.Task[None]", tenant_no: int) -> None:
        """It no longer keeps its tenant's writes."""
        self._apart[tenant_no].discard(task)
        if not self._apart[tenant_no]:
            del self._apart[tenant_no]
        self._begin()

    def _take(self) -> list[_Waiting[W, R]]:
        """The next writes, one of each tenant in turn; who may not come yet keeps its tenant's place."""
        taken: list[_Waiting[W, R]] = []
        entries = 0
        alone: set[Hashable] = set()
        held = set(self._apart)
        while len(taken) < MOST_WRITES and entries < MOST_ENTRIES:
            tenant_no = next((tenant for tenant in self._waiting if tenant not in held), None)
            if tenant_no is None:
                break
            key = self._waiting[tenant_no][0].write.alone
            if key is not None and key in alone:
                held.add(tenant_no)
                continue
            alone.add(key)
            taken.append(self._pop(tenant_no))
            entries += taken[-1].write.entries
        return taken

    def _pop(self, tenant_no: int) -> _Waiting[W, R]:
        queue = self._waiting[tenant_no]
        popped = queue.popleft()
        self._entries[tenant_no] -= popped.write.entries
        self._all_entries -= popped.write.entries
        self._writes -= 1
        if queue:
            self._waiting.move_to_end(tenant_no)
        else:
            del self._waiting[tenant_no], self._entries[tenant_no]
        return popped

    async def _settle(self, taken: list[_Waiting[W, R]]) -> None:
        """Flush, and answer all; where it fails, find the writes that it fails for."""
        try:
            answers = await self._flush([waiting.write for waiting in taken])
        except asyncio.CancelledError:
            _fail(taken, _stopping())
            raise
        except LockedOut:
            self._take_apart(taken)
        except Exception as problem:  # noqa: BLE001 - whose it is gets it, as an answer
            away = isinstance(problem, Refusal) and problem.status == unavailable("").status
            if away or len(taken) == 1:
                _fail(taken, problem)
            else:
                await self._settle(taken[: len(taken) // 2])
                await self._settle(taken[len(taken) // 2 :])
        else:
            for waiting, answer in zip(taken, answers, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)

    def _take_apart(self, taken: list[_Waiting[W, R]]) -> None:
        tenants: dict[int, list[_Waiting[W, R]]] = {}
        for waiting in taken:
            tenants.setdefault(waiting.write.tenant_no, []).append(waiting)
        if len(tenants) == 1:
            _fail(taken, unavailable("Something holds what this writes; try again."))
            return
        for tenant_no, its in tenants.items():
            before = self._apart.setdefault(tenant_no, set())
            before.add(_task(self._settle_apart(tenant_no, its, set(before))))

    async def _settle_apart(
        self, tenant_no: int, its: list[_Waiting[W, R]], before: "set[asyncio.Task[None]]"
    ) -> None:
        try:
            if before:
                await asyncio.wait(before)
            await self._settle(its)
        finally:
            # Where this was cancelled before its turn, they wait still.
            _fail(its, _stopping())
            self._back(cast("asyncio.Task[None]", asyncio.current_task()), tenant_no)


def _task(work: Any) -> "asyncio.Task[None]":
    # A flush is nobody's request: it takes over neither span nor tenant of who came first.
    return asyncio.create_task(work, context=contextvars.Context())


def _wake(gathering: "asyncio.Future[None]") -> None:
    if not gathering.done():
        gathering.set_result(None)


def _stopping() -> Refusal:
    return unavailable("The service is stopping; try again.")


def _fail(waiting: Iterable[_Waiting[Any, Any]], problem: BaseException) -> None:
    for each in waiting:
        if not each.answer.done():
            each.answer.set_exception(problem)
