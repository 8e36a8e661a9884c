"""Where a listener stands: the next offset of each partition that its events come from.

That is an event's id, `p3.1204-r3.77`: what lies before it was told. It means the same in every
process, and after a restart.
"""

import re
from collections.abc import Mapping
from typing import Final

from libs.common.contracts.tracking import RUN_METRICS, RUNS
from libs.common.service import Place

Standing = dict[Place, int]

MOST_CHARACTERS: Final = 2_000
# An "m" was in ids that told where one stood in run-metrics.v1, which nobody can be told any more.
_LETTERS: Final = {RUN_METRICS.name: "p", RUNS.name: "r"}
_TOPICS: Final = {letter: topic for topic, letter in _LETTERS.items()}
_ONE: Final = re.compile(r"([pr])(\d{1,4})\.(\d{1,18})")


def written(standing: Mapping[Place, int]) -> str:
    """A standing as an event's id."""
    return "-".join(f"{_LETTERS[topic]}{part}.{at}" for (topic, part), at in standing.items())


def read(text: str) -> Standing | None:
    """The standing that an id tells, None where it is no id of ours."""
    if not text or len(text) > MOST_CHARACTERS:
        return None
    standing: Standing = {}
    for one in text.split("-"):
        found = _ONE.fullmatch(one)
        if found is None:
            return None
        letter, part, at = found.groups()
        standing[_TOPICS[letter], int(part)] = int(at)
    return standing
