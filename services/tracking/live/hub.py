"""The hub: hears the facts about runs that somebody listens to, and hands them to the channels.

What comes alone is told at once; where it comes fast, a channel is told ten times a second, so that
a thousand listeners cost ten messages a second each and not one a point.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from libs.common.contracts.tracking import RUN_METRICS, RUNS
from libs.common.errors import Refusal, unavailable
from libs.common.events.envelope import Event
from libs.common.service import Place, Running, Tail
from libs.common.telemetry.logs import logger
from services.tracking.live.channel import LINGER_SECONDS, Channel, Subject, subjects_of
from services.tracking.live.items import Item, items_of, weight_of
from services.tracking.live.listener import Listener
from services.tracking.live.lookup import Lookup
from services.tracking.live.places import Standing
from services.tracking.metrics import LISTENERS, LIVE_DELAY

NAME: Final = "live"
PACE_SECONDS: Final = 0.1
# Between one look at what was heard and the next, so that what comes together is told together.
_TURN_SECONDS: Final = 0.01
# Of all channels together, in points.
MOST_KEPT: Final = 200_000
_MOST_UNTOLD: Final = 50_000
# Of one look at the past, in points: of all that is opened for it, whoever's runs they are of.
MOST_LOOKED_AT: Final = 1_000_000
_BEGIN_SECONDS: Final = 10.0
_REACH_SECONDS: Final = 3.0
_AGAIN_SECONDS: Final = 0.5
_log = logger(__name__)


class Hub:
    """The channels of this process; `standing` is what was handed out."""

    def __init__(self) -> None:
        self._tail: Tail | None = None
        self._channels: dict[Subject, Channel] = {}
        # How many channels hear a key: of experiments by the tenant, as a message's key begins with it.
        self._experiments: dict[bytes, int] = {}
        self._keys: dict[bytes, int] = {}
        self._lookup = Lookup()
        self._untold: list[Item] = []
        # Channels that are to be told something, as soon as they may be.
        self._late: dict[Channel, None] = {}
        self._wanted_at = time.monotonic()
        self._some = asyncio.Event()
        self._moved = asyncio.Event()
        # Counts how often the standing was given up, with all that was heard before.
        self._begun_anew = 0
        self.standing: Standing = {}

    async def run(self, running: Running) -> None:
        """Hand out what is heard; forever."""
        tail = self._tail = running.tails[NAME]
        tail.wants, tail.hears, tail.lost = self._wants, self._hear, self._lost
        while True:
            await self._some.wait()
            self._some.clear()
            try:
                await self._hand_out(running)
            except Refusal as problem:
                _log.warning("events_wait", error=problem.message)
                self._some.set()
                await asyncio.sleep(_AGAIN_SECONDS)
            await asyncio.sleep(_TURN_SECONDS)

    async def begun(self) -> None:
        """Wait until what is said is heard here; a refusal 503 where it is not."""
        if self._tail is None:
            raise unavailable("Live events are starting; try again.")
        self._wanted_at = time.monotonic()
        self._tail.wanted.set()
        if not await self._tail.begun(_BEGIN_SECONDS):
            raise unavailable("Live events cannot be heard now; try again.")
        if not self.standing:
            self.standing = dict(self._tail.positions)

    async def reaches(self, subject: Subject, standing: Standing) -> bool:
        """Whether a standing is one of a subject's, and all before it was handed out here.

        For that it is waited a little: another process may be ahead.
        """
        if not self.standing or standing.keys() != set(self._places(subject)):
            return False
        try:
            async with asyncio.timeout(_REACH_SECONDS):
                while any(self.standing[place] < at for place, at in standing.items()):
                    self._moved.clear()
                    self._some.set()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    @contextmanager
    def listened(self, subject: Subject, listener: Listener) -> Iterator[Channel]:
        """The channel of a subject, in which the listener hears for as long as the block lasts."""
        if not self.standing:
            raise unavailable("Live events have just been interrupted; try again.")
        channel = self._channels.get(subject) or self._opened(subject)
        # Whoever joins stands where all stand.
        self._tell(channel)
        channel.joined(listener)
        LISTENERS.inc()
        try:
            yield channel
        finally:
            channel.left(listener)
            LISTENERS.dec()

    async def missed(
        self, running: Running, channel: Channel, standing: Standing
    ) -> list[Item] | None:
        """What was told in a channel after a standing and before now; None where that is gone."""
        kept = channel.since(standing)
        if kept is not None:
            return kept
        assert self._tail is not None
        spans = {place: (at, channel.standing[place]) for place, at in standing.items()}
        subject, found, looked_at = channel.subject, list[Item](), 0

        def hears(place: Place, offset: int, event: Event) -> bool:
            nonlocal looked_at
            looked_at += weight_of(event)
            found.extend(
                items_of(place, offset, event, lambda run: self._may_be(subject, run, event))
            )
            return looked_at <= MOST_LOOKED_AT

        if not await self._tail.read_back(spans, subject.hears, hears):
            return None
        await self._lookup.complete(running, found)
        return [item for item in found if subject in subjects_of(item)]

    async def tend(self) -> None:
        """Look after every listener once: whether it may still listen, reads, or waits long."""
        for channel in list(self._channels.values()):
            for listener in list(channel.listeners):
                try:
                    await listener.insist()
                except Refusal:
                    listener.end("refused")
        now = time.monotonic()
        for subject, channel in list(self._channels.items()):
            self._tell(channel)
            for listener in list(channel.listeners):
                listener.look(now, channel.standing)
            if channel.idle(now):
                self._close(subject)
        if not self._channels and now - self._wanted_at > LINGER_SECONDS:
            # Nobody listens: nothing is read until somebody does.
            if self._tail is not None:
                self._tail.wanted.clear()
            self._give_up()
        # So that where they stand moves on, also where there is nothing to tell them.
        self._some.set()

    def end_all(self, reason: str) -> None:
        """Send everybody away, to come back elsewhere or later."""
        for channel in self._channels.values():
            for listener in list(channel.listeners):
                listener.end(reason)

    def _give_up(self) -> None:
        self._untold.clear()
        self._late.clear()
        self.standing = {}
        self._begun_anew += 1

    def _opened(self, subject: Subject) -> Channel:
        assert self._tail is not None
        # What was read until now and is not handed out yet was not wanted for it.
        floor = {place: self._tail.positions[place] for place in self._places(subject)}
        channel = Channel(subject, floor)
        self._channels[subject] = channel
        counted = self._keys if subject.run_id else self._experiments
        for key in subject.keys:
            counted[key] = counted.get(key, 0) + 1
        return channel

    def _places(self, subject: Subject) -> list[Place]:
        assert self._tail is not None
        points = self._tail.place_of(RUN_METRICS, subject.points_key)
        if subject.run_id:
            return [points, self._tail.place_of(RUNS, subject.run_key)]
        return [points, *sorted(place for place in self.standing if place[0] == RUNS.name)]

    def _close(self, subject: Subject) -> None:
        self._late.pop(self._channels.pop(subject), None)
        counted = self._keys if subject.run_id else self._experiments
        for key in subject.keys:
            counted[key] -= 1
            if not counted[key]:
                del counted[key]

    def _wants(self, key: bytes) -> bool:
        # Of the tenants with listeners to experiments all runs, as a key does not name those; of a
        # tenant with any listener all points, as a fact about them has those of many runs.
        return key in self._keys or key[: key.find(b"/") + 1] in self._experiments

    def _hear(self, place: Place, offset: int, event: Event) -> None:
        items = items_of(place, offset, event, self._wanted(event))
        if not items:
            return
        if len(self._untold) >= _MOST_UNTOLD:
            self._lost()
        self._untold += items
        told_at = datetime.fromisoformat(event.time).timestamp()
        LIVE_DELAY.observe(max(0.0, time.time() - told_at))
        self._some.set()

    def _wanted(self, event: Event) -> Callable[[str], bool]:
        """Whether anybody listens to a run's points, or to its experiment, where that is known."""
        tenant, whole = event.tenant, f"{event.tenant}/".encode() in self._experiments

        def wanted(run_id: str) -> bool:
            if Subject(tenant, run_id) in self._channels:
                return True
            if not whole:
                return False
            experiment_id = self._lookup.experiment_of(event.tenant_no, run_id)
            return experiment_id is None or Subject(tenant, "", experiment_id) in self._channels

        return wanted

    def _may_be(self, subject: Subject, run_id: str, event: Event) -> bool:
        """Whether a run's points are what a subject hears, as far as that is known."""
        if subject.run_id:
            return run_id == subject.run_id
        return self._lookup.experiment_of(event.tenant_no, run_id) in (None, subject.experiment_id)

    def _lost(self) -> None:
        """Something was said that will not be told: whoever comes back begins anew."""
        self.end_all("lost")
        self._channels.clear()
        self._keys.clear()
        self._experiments.clear()
        self._give_up()

    async def _hand_out(self, running: Running) -> None:
        assert self._tail is not None
        items, self._untold = self._untold, []
        heard, begun = dict(self._tail.positions), self._begun_anew
        try:
            await self._lookup.complete(running, items)
        except Refusal:
            if begun == self._begun_anew:
                self._untold[:0] = items
            raise
        if begun != self._begun_anew or not self.standing:
            return
        for item in items:
            if item.offset >= self.standing[item.place]:
                for channel in self._channels_of(item):
                    channel.take(item)
                    self._late[channel] = None
        self.standing = heard
        self._tell_late()
        self._moved.set()

    def _tell_late(self) -> None:
        now = time.monotonic()
        for channel in [one for one in self._late if one.told_at + PACE_SECONDS <= now]:
            self._tell(channel)
            channel.told_at = now
        if self._late:
            next_at = min(channel.told_at for channel in self._late) + PACE_SECONDS
            asyncio.get_running_loop().call_later(next_at - now, self._some.set)

    def _tell(self, channel: Channel) -> None:
        self._late.pop(channel, None)
        channel.tell(self.standing, MOST_KEPT // max(1, len(self._channels)))

    def _channels_of(self, item: Item) -> Iterator[Channel]:
        for subject in subjects_of(item):
            channel = self._channels.get(subject)
            if channel is not None:
                yield channel
