"""What auth refused in the last two seconds, so that asking again in a loop costs it little."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from services.gateway.credentials import Rejected

MOST_REJECTED: Final = 10_000
REJECTED_SECONDS: Final = 2.0


class Rejections:
    """At most so many by their key, the oldest giving way."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[float, Rejected]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def note(self, key: bytes, rejected: Rejected) -> None:
        """It was refused now."""
        self._kept[key] = (self._clock() + REJECTED_SECONDS, rejected)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_REJECTED:
            self._kept.popitem(last=False)

    def find(self, key: bytes) -> Rejected | None:
        """Why it was refused lately, as an exception of its own to raise; None where it was not."""
        until, rejected = self._kept.get(key, (0.0, None))
        if rejected is None or until <= self._clock():
            return None
        return type(rejected)(str(rejected))
