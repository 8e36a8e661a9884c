"""How often the platform's caches had the answer, read from its Prometheus metrics by their names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp

from libs.embedded.ports import HOST

_SAMPLE: Final = re.compile(r"^(?P<name>\w+)(?P<labels>\{[^}]*\})? (?P<value>\S+)", re.MULTILINE)
# A counter of a cache says so in its name, and in its name or a label whether it had the answer.
_CACHE: Final = re.compile(r"cache|_found_")
_HIT: Final = re.compile(r'hit|"memory"|"redis"')
_MISS: Final = re.compile(r'miss|"database"|"unkept"')
# Whose processes keep answers.
_KEEPERS: Final = ("GATEWAY_PORT", "TRACKING_PORT")


@dataclass(frozen=True)
class Found:
    """Questions that caches had the answer to, and those that they had not."""

    hits: float = 0.0
    misses: float = 0.0

    def since(self, before: "Found") -> "Found":
        """What came after `before`."""
        return Found(self.hits - before.hits, self.misses - before.misses)

    def __add__(self, other: "Found") -> "Found":
        return Found(self.hits + other.hits, self.misses + other.misses)

    @property
    def share(self) -> float | None:
        """Hits among all questions; None where nothing was asked, as without any cache."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


def counted(exposition: str) -> Found:
    """What the counters of caches in a page of metrics say together."""
    found = Found()
    for sample in _SAMPLE.finditer(exposition):
        name, labels = sample["name"], sample["labels"] or ""
        if not _CACHE.search(name) or name.endswith("_created"):
            continue
        value = float(sample["value"])
        if _HIT.search(name + labels):
            found += Found(hits=value)
        elif _MISS.search(name + labels):
            found += Found(misses=value)
    return found


def pages(environment: Mapping[str, str]) -> list[str]:
    """Where the processes of a deployment may have their metrics."""
    ports = [environment[name] for name in _KEEPERS if name in environment]
    return [f"http://{HOST}:{port}/metrics" for port in dict.fromkeys(ports)]


async def found(addresses: Sequence[str]) -> Found:
    """The counts of all processes that answer; a service inside another's process has no port."""
    total = Found()
    async with aiohttp.ClientSession() as session:
        for address in addresses:
            try:
                async with session.get(address) as reply:
                    total += counted(await reply.text()) if reply.status == 200 else Found()
            except (TimeoutError, aiohttp.ClientError):
                continue
    return total
