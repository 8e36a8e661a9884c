"""How far a group is behind in this process, over all its lanes: in messages and in seconds."""

from libs.common.telemetry.metrics import MESSAGES_BEHIND, SECONDS_BEHIND


class Lag:
    """What the lanes of one group say, put together for the gauges."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._messages: dict[int, int] = {}
        self._seconds: dict[int, float] = {}

    def tell(self, lane: int, messages: int, seconds: float) -> None:
        """A lane is so many messages behind, and its oldest one is so old."""
        self._messages[lane], self._seconds[lane] = messages, seconds
        MESSAGES_BEHIND.labels(self._group).set(sum(self._messages.values()))
        SECONDS_BEHIND.labels(self._group).set(max(self._seconds.values()))
