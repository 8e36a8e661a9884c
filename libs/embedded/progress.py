"""Lines that tell what is being waited for, and for how long."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

ERASE_LINE = "\r\x1b[K"


class Progress:
    """Says finished steps as lines; a terminal also sees a live line of the steps under way."""

    def __init__(self, say: Callable[[str], None], *, live: bool = False) -> None:
        self._say = say
        self._live = live
        self._under_way: dict[str, float] = {}
        self._ticker: asyncio.Task[None] | None = None

    def say(self, text: str) -> None:
        """Write one line that stays."""
        self._erase()
        self._say(text)

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Tell that `name` is under way, and when it ends well, how many seconds it took."""
        started = time.monotonic()
        self._under_way[name] = started
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick())
        try:
            yield
            self.say(f"  {name} ({time.monotonic() - started:.1f} s)")
        finally:
            del self._under_way[name]
            if not self._under_way:
                await self._rest()

    async def _rest(self) -> None:
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            ticker.cancel()
            with suppress(asyncio.CancelledError):
                await ticker
        self._erase()

    async def _tick(self) -> None:
        """Redraw a live line twice a second, or add a plain line when something takes long."""
        pauses = iter(()) if self._live else iter((2.0, 8.0))
        while True:
            await asyncio.sleep(0.5 if self._live else next(pauses, 15.0))
            now = time.monotonic()
            steps = [f"{name} … {now - since:.0f} s" for name, since in self._under_way.items()]
            if self._live:
                sys.stdout.write(ERASE_LINE + "  " + " · ".join(steps)[:110])
                sys.stdout.flush()
            else:
                self._say("  " + " · ".join(steps))

    def _erase(self) -> None:
        if self._live:
            sys.stdout.write(ERASE_LINE)
            sys.stdout.flush()


def terminal() -> Progress:
    """Progress on standard output, live when that is a terminal."""
    return Progress(lambda text: print(text, flush=True), live=sys.stdout.isatty())
