"""Forks: runs that continue another from a step, and what they take over from it."""

from collections.abc import Mapping
from typing import Final

from libs.common.errors import Refusal, invalid
from services.tracking.model.runs import RUN_NAME_TAG, Run

FORKED_FROM_TAG: Final = "maestro.forkedFrom"
FORKED_AT_TAG: Final = "maestro.forkedAtStep"
MOST_BEFORE: Final = 100
# They say something of the run itself: what it is called, where it hangs, which models it made.
_NOT_TAKEN_OVER: Final = frozenset({RUN_NAME_TAG, "mlflow.parentRunId", "mlflow.log-model.history"})


def fork_step(asked: int | None, last: int | None) -> int:
    """The step after which a fork goes on; without one, the last that was logged.

    A later step is refused: the fork would follow what the other run has yet to log.
    """
    end = last or 0
    if asked is None:
        return end
    if asked > end:
        raise invalid(f"Step {asked} is after the last one that was logged, which is {end}.")
    return asked


def too_long_a_line(run_id: str) -> Refusal:
    """A run has so many runs before it that it cannot be forked again."""
    return invalid(
        f"The run {run_id} continues {MOST_BEFORE} runs already, which is the most that is kept."
    )


def name_of_fork(source: Run, step: int) -> str:
    """What a fork is called that was given no name."""
    return f"{source.name} from step {step}"


def tags_of_fork(
    source: Run, step: int, tags: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    """The other run's tags, those that were given in their place, and where the fork comes from."""
    kept = {key: value for key, value in tags.items() if key not in _NOT_TAKEN_OVER}
    return {**kept, **given, FORKED_FROM_TAG: source.run_id, FORKED_AT_TAG: str(step)}
