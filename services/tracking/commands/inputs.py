"""What a run used and made: datasets and logged models."""

import json
import uuid
from collections.abc import Sequence
from typing import Any, Final

from libs.common.errors import invalid
from libs.common.events.outbox import unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.commands.facts import details_logged
from services.tracking.commands.runs import run_to_change
from services.tracking.model import limits
from services.tracking.model.inputs import DatasetUse, check_dataset, first_of_each
from services.tracking.model.runs import check_active
from services.tracking.store import runs as store

HISTORY_TAG: Final = "mlflow.log-model.history"
_NEEDED: Final = ("artifact_path", "flavors", "utc_time_created", "run_id")


async def log_inputs(
    running: Running,
    principal: Principal,
    run_id: str,
    datasets: list[DatasetUse],
    models: Sequence[str],
) -> None:
    """Datasets and logged models that a run used."""
    for use in datasets:
        check_dataset(use)
    for model_id in models:
        limits.check_length("model_id", limits.MODEL_ID_LENGTH, model_id)
    uses = first_of_each(datasets)
    async with unit_of_work(running, principal) as work:
        run = await run_to_change(work, principal, run_id)
        check_active(run)
        if uses:
            await store.add_datasets(work.connection, principal.tenant_no, run, uses)
        if models:
            used = [(model_id, 0) for model_id in models]
            await store.add_models(work.connection, principal.tenant_no, run, "input", used)
        work.record(
            details_logged(run_id, datasets=[use.name for use in uses], model_inputs=list(models))
        )


async def log_outputs(
    running: Running, principal: Principal, run_id: str, models: Sequence[tuple[str, int]]
) -> None:
    """Logged models (id, step) that a run made."""
    for model_id, _ in models:
        limits.check_length("model_id", limits.MODEL_ID_LENGTH, model_id)
    async with unit_of_work(running, principal) as work:
        run = await run_to_change(work, principal, run_id)
        check_active(run)
        await store.add_models(work.connection, principal.tenant_no, run, "output", models)
        work.record(details_logged(run_id, model_outputs=[model_id for model_id, _ in models]))


async def log_model(running: Running, principal: Principal, run_id: str, model_json: str) -> None:
    """What clients from before logged models tell of a model: kept in a tag of the run."""
    told = _model_tags(model_json)
    async with unit_of_work(running, principal) as work:
        run = await run_to_change(work, principal, run_id)
        check_active(run)
        before = await store.tag_of(work.connection, principal.tenant_no, run, HISTORY_TAG)
        value = json.dumps([*(_list_in(before)), told])
        await store.set_tag(work.connection, principal.tenant_no, run, HISTORY_TAG, value)
        work.record(details_logged(run_id, tags={HISTORY_TAG: value}))


def _model_tags(model_json: str) -> dict[str, Any]:
    try:
        model = json.loads(model_json)
    except (ValueError, RecursionError):
        raise invalid(f"Malformed model info. \n {model_json} \n is not a valid JSON.") from None
    absent = sorted(set(_NEEDED) - set(model)) if isinstance(model, dict) else sorted(_NEEDED)
    if absent:
        named = ", ".join(map(repr, absent))
        raise invalid(f"Model json is missing mandatory fields: {{{named}}}")
    flavors = model["flavors"] if isinstance(model["flavors"], dict) else {}
    return {
        "run_id": model["run_id"],
        "artifact_path": model["artifact_path"],
        "utc_time_created": model["utc_time_created"],
        "model_uuid": model.get("model_uuid") or uuid.uuid4().hex,
        "flavors": {name: _without_config(flavor) for name, flavor in flavors.items()},
    }


def _without_config(flavor: Any) -> Any:
    if not isinstance(flavor, dict):
        return flavor
    return {key: value for key, value in flavor.items() if key != "config"}


def _list_in(text: str | None) -> list[Any]:
    """The list in a tag that anybody may have written; empty where there is none."""
    try:
        found = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return found if isinstance(found, list) else []
