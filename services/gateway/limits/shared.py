"""The windows that all gateways share, in Redis: one script and one round trip for many keys."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from redis.exceptions import RedisError

from libs.common.telemetry.logs import logger
from services.gateway.limits.window import SLOT_SECONDS, WINDOW_SECONDS, Given
from services.gateway.metrics import LIMITS_ALONE

ANSWER_SECONDS: Final = 0.05
# After a failure Redis is not asked for so long, each time longer up to the second.
FIRST_REST_SECONDS: Final = 0.1
LONGEST_REST_SECONDS: Final = 2.0
_START_SECONDS: Final = 2.0
_FIELDS: Final = 4
_log = logger(__name__)

# A window is a hash: slot of 20 ms → what was leased in it. Redis' clock is the clock of all. A slot
# from the future is one of a clock that was set back, and is dropped as one that is over.
SCRIPT: Final = """
local window, width = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local slot = math.floor(now / width)
local out = {}
for i, key in ipairs(KEYS) do
  local at = 3 + (i - 1) * 4
  local limit, wanted = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  local back, back_slot = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local held = redis.call('HGETALL', key)
  local used, oldest = 0, nil
  for j = 1, #held, 2 do
    local s, count = tonumber(held[j]), tonumber(held[j + 1])
    if (s + 1) * width + window <= now or s > slot then
      redis.call('HDEL', key, held[j])
    else
      if back > 0 and s == back_slot then
        local taken = math.min(back, count)
        redis.call('HINCRBY', key, held[j], -taken)
        count = count - taken
      end
      used = used + count
      if count > 0 and (oldest == nil or s < oldest) then oldest = s end
    end
  end
  local granted = math.max(0, math.min(wanted, limit - used))
  local wait = 0
  if granted > 0 then
    redis.call('HINCRBY', key, slot, granted)
    redis.call('PEXPIRE', key, window + 2 * width)
  elseif oldest ~= nil then
    wait = (oldest + 1) * width + window - now
  end
  out[#out + 1] = granted
  out[#out + 1] = math.max(0, limit - used - granted)
  out[#out + 1] = wait
  out[#out + 1] = slot
end
return out
"""


class Want(NamedTuple):
    """What is asked of one window: `wanted` under `limit`, `back` of what `back_slot` gave."""

    key: str
    limit: int
    wanted: int
    back: int
    back_slot: int


class Scripts(Protocol):
    """What is asked of Redis' client."""

    def register_script(self, script: str) -> Any: ...


class SharedWindows:
    """Leases from Redis; where it is absent, slow or broken there is no answer for a while."""

    def __init__(
        self, store: Scripts | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._script = None if store is None else store.register_script(SCRIPT)
        self._monotonic = monotonic
        self._resting_until = 0.0
        self._rest = FIRST_REST_SECONDS

    async def open(self) -> None:
        """Connect and hand over the script, so that the first request does not pay for it."""
        if self._script is None:
            return
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._script(keys=[], args=[1, 1])
        except (RedisError, OSError, TimeoutError):
            return

    async def take(self, wants: Sequence[Want]) -> list[Given] | None:
        """What each window gave, in the order of `wants`; None where Redis does not say."""
        if self._script is None or self._monotonic() < self._resting_until:
            LIMITS_ALONE.inc()
            return None
        arguments: list[int] = [round(WINDOW_SECONDS * 1000), round(SLOT_SECONDS * 1000)]
        for want in wants:
            arguments += want[1:]
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._script(keys=[want.key for want in wants], args=arguments)
            given = [_given(answer, number) for number in range(len(wants))]
        except (RedisError, OSError, TimeoutError, ValueError, TypeError, IndexError) as problem:
            self._resting_until = self._monotonic() + self._rest
            LIMITS_ALONE.inc()
            _log.warning("limits_without_redis", seconds=self._rest, error=repr(problem))
            self._rest = min(LONGEST_REST_SECONDS, self._rest * 2)
            return None
        self._rest = FIRST_REST_SECONDS
        return given


def _given(answer: Sequence[int], number: int) -> Given:
    at = number * _FIELDS
    granted, free, wait, slot = (int(answer[at + field]) for field in range(_FIELDS))
    return Given(granted, free, wait / 1000, slot)
