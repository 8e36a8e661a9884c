"""A channel: all who listen to one run or one experiment here, and what was told them lately."""

import time
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from libs.common.contracts.tracking import POINTS_KEY
from libs.common.service import Place
from services.tracking.live.items import Item, messages
from services.tracking.live.listener import Listener
from services.tracking.live.places import Standing

# How long what was told is kept after the last listener has left, who may come back.
LINGER_SECONDS: Final = 30.0
LEAST_KEPT: Final = 200


class Subject(NamedTuple):
    """What is listened to: the run, or the whole experiment where there is no run."""

    tenant: str
    run_id: str
    experiment_id: int = -1

    @property
    def run_key(self) -> bytes:
        """How the keys of messages about its runs begin."""
        return f"{self.tenant}/{self.run_id}".encode()

    @property
    def points_key(self) -> bytes:
        """The key of messages about points, of this and of all other runs of the tenant."""
        return f"{self.tenant}/{POINTS_KEY}".encode()

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys of its messages, or of an experiment how they all begin."""
        return (self.run_key, self.points_key) if self.run_id else (self.run_key,)

    def hears(self, key: bytes) -> bool:
        """Whether a message may be about it, by its key."""
        return key in self.keys if self.run_id else key.startswith(self.run_key)


def subjects_of(item: Item) -> tuple[Subject, Subject]:
    """What somebody may listen to who is told of an item."""
    run = Subject(item.tenant, item.run_id)
    return run, Subject(item.tenant, "", -1 if item.experiment_id is None else item.experiment_id)


class Channel:
    """Hands each message, encoded once, to all its listeners.

    `standing` is what was told, `floor` from where on all of that is still kept.
    """

    def __init__(self, subject: Subject, floor: Standing) -> None:
        self.subject = subject
        self.floor = floor
        self.standing = dict(floor)
        # When it was told last, and so when it may be told again.
        self.told_at = float("-inf")
        self.listeners: set[Listener] = set()
        self._fresh: list[Item] = []
        self._kept: deque[Item] = deque()
        self._weight = 0
        self._left_at = time.monotonic()

    def take(self, item: Item) -> None:
        """Something was heard, to be told at the next `tell`; not what came before the channel."""
        if item.offset >= self.standing[item.place]:
            self._fresh.append(item)

    def tell(self, heard: Mapping[Place, int], room: int) -> None:
        """Tell what is fresh of all that was heard, and keep as much as there is `room` for, in
        points.
        """
        fresh, self._fresh = self._fresh, []
        before = self.standing
        # What is handed out may be behind where the channel began.
        self.standing = {place: max(at, heard[place]) for place, at in before.items()}
        for message in messages(fresh, before, self.standing):
            for listener in list(self.listeners):
                listener.push(message)
        self._keep(fresh, max(room, LEAST_KEPT))
        if self.subject.run_id and any(item.removes for item in fresh):
            for listener in list(self.listeners):
                listener.end("removed")

    def since(self, standing: Mapping[Place, int]) -> list[Item] | None:
        """What was told after a standing; None where that is not all kept any more."""
        if any(standing[place] < floor for place, floor in self.floor.items()):
            return None
        return [item for item in self._kept if item.offset >= standing[item.place]]

    def joined(self, listener: Listener) -> None:
        """Somebody listens from now on."""
        self.listeners.add(listener)

    def left(self, listener: Listener) -> None:
        """Somebody does not listen any more."""
        self.listeners.discard(listener)
        self._left_at = time.monotonic()

    def idle(self, now: float) -> bool:
        """Whether nobody listens, and nobody is expected back."""
        return not self.listeners and now - self._left_at > LINGER_SECONDS

    def _keep(self, items: list[Item], room: int) -> None:
        self._kept.extend(items)
        self._weight += sum(item.weight for item in items)
        while self._weight > room:
            gone = self._kept.popleft()
            self._weight -= gone.weight
            self.floor[gone.place] = gone.offset + 1
