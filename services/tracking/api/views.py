"""Enumerations and lists as MLflow's requests give them."""

from collections.abc import Sequence
from typing import Final

from libs.common.errors import invalid
from libs.common.http.wire import SEE_DOCS, require
from services.tracking.model.limits import unfit
from services.tracking.model.runs import STATUSES
from services.tracking.schemas.requests import Pair, RunId, UpdateRun

LARGEST_PAGE: Final = 50_000
_ACTIVE: Final = ["active"]
_STAGES: Final = {
    "ACTIVE_ONLY": _ACTIVE,
    "DELETED_ONLY": ["deleted"],
    "ALL": ["active", "deleted"],
}
_VIEWS: Final = {1: "ACTIVE_ONLY", 2: "DELETED_ONLY", 3: "ALL"}


def stages_of(view: object) -> list[str]:
    """The lifecycle stages of a view; an unknown one is the default, as protobuf reads it."""
    name = _VIEWS.get(view, "") if isinstance(view, int) else view
    return _STAGES.get(name, _ACTIVE) if isinstance(name, str) else _ACTIVE


def status_of(body: UpdateRun) -> str | None:
    """The status a run shall have; an unknown name is passed over, anything else refused."""
    status: object = body.status
    if isinstance(status, str):
        return status if status in STATUSES.values() else None
    if isinstance(status, int) and status in STATUSES:
        return STATUSES[status]
    if status is None:
        return None
    raise unfit("status", status, f" Hint: Value was of type '{type(status).__name__}'.{SEE_DOCS}")


def run_of(body: RunId | UpdateRun) -> str:
    """The run a request is about: `run_id`, or `run_uuid` of old clients."""
    return named_run(body.run_id, body.run_uuid, body)


def named_run(run_id: str | None, run_uuid: str | None, body: object) -> str:
    """`run_id` where it is set, else `run_uuid`; refused where both are unset."""
    if run_id is None and run_uuid:
        return run_uuid
    require(body, "run_id")
    return run_id or ""


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
