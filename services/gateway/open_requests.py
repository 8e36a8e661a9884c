"""The requests under way and in whose name, so that those of the revoked can be cut."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from libs.common.errors import Refusal
from services.gateway.exchange import Passport
from services.gateway.metrics import REQUESTS_CUT

# A request *streams* while its body comes or a long answer goes, *waits* once it has come whole,
# and *ends* by itself while a short answer goes.
Stage = Literal["streams", "waits", "ends"]


class OpenRequest:
    """A request under way in the name of a passport; without one it is public and never cut."""

    __slots__ = ("_end", "_stage", "passport", "refusal")

    def __init__(self, passport: Passport | None) -> None:
        self.passport = passport
        self.refusal: Refusal | None = None
        self._end: Callable[[], None] | None = None
        self._stage: Callable[[], Stage] | None = None

    def attach(self, *, end: Callable[[], None], stage: Callable[[], Stage]) -> None:
        """It is being forwarded: `end` ends that. Raises the refusal of one that was cut before."""
        if self.refusal is not None:
            raise self.refusal
        self._end, self._stage = end, stage

    @property
    def stage(self) -> Stage:
        """How far it is; what was not forwarded yet can be sent again as well as what streams."""
        return "streams" if self._stage is None else self._stage()

    def cut(self, refusal: Refusal) -> None:
        """End it: with this refusal where no answer has begun, else by breaking off."""
        if self.refusal is not None:
            return
        self.refusal = refusal
        REQUESTS_CUT.inc()
        if self._end is not None:
            self._end()


class OpenRequests:
    """All requests under way. They are looked through at a revocation, not indexed at each request:
    there are some thousands at most, and many more come in a second than are revoked.
    """

    def __init__(self) -> None:
        self._open: set[OpenRequest] = set()

    @contextmanager
    def entered(self, passport: Passport | None) -> Iterator[OpenRequest]:
        """A request for as long as the block lasts."""
        request = OpenRequest(passport)
        if passport is None:
            yield request
            return
        self._open.add(request)
        try:
            yield request
        finally:
            self._open.discard(request)

    def cut(
        self,
        ended: Callable[[Passport], bool],
        refusal: Callable[[], Refusal],
        *,
        streams_only: bool = False,
    ) -> None:
        """Cut the requests whose passport has ended; with `streams_only` let what came whole be
        answered, as its client would repeat it without knowing whether it was done.
        """
        for request in list(self._open):
            if request.passport is None or not ended(request.passport):
                continue
            stage = request.stage
            if stage == "streams" or (stage == "waits" and not streams_only):
                request.cut(refusal())
