"""Lists and ids as MLflow's requests give them."""

from collections.abc import Sequence
from typing import Final

from libs.common.errors import invalid
from services.tracking.schemas.requests import Pair, RunId, UpdateRun, View

LARGEST_PAGE: Final = 50_000
_STAGES: Final = {
    View.ACTIVE_ONLY: ["active"],
    View.DELETED_ONLY: ["deleted"],
    View.ALL: ["active", "deleted"],
}


def stages_of(view: View | None) -> list[str]:
    """The lifecycle stages of a view; the active ones where none is given."""
    return _STAGES[view or View.ACTIVE_ONLY]


def run_of(body: RunId | UpdateRun) -> str:
    """The run a request is about: `run_id`, or `run_uuid` of old clients."""
    return named_run(body.run_id, body.run_uuid)


def named_run(run_id: str | None, run_uuid: str | None) -> str:
    """`run_id` where it is set, else `run_uuid`."""
    return run_id or run_uuid or ""


def pairs_of(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """Tags or params as pairs."""
    return [(pair.key, pair.value) for pair in pairs]


def check_page(max_results: int, end: str = "") -> None:
    """Refuse a page of no rows."""
    if max_results < 1:
        raise invalid(
            f"Invalid value {max_results} for parameter 'max_results' supplied. It must be a"
            f" positive integer{end}"
        )
