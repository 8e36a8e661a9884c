"""Logged models: make, finalize, tag, add params, put aside."""

from collections.abc import Sequence
from dataclasses import dataclass

from libs.common.contracts import tracking as contract
from libs.common.events.outbox import UnitOfWork, outbox_columns, unit_of_work
from libs.common.failpoints import reach
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.commands.experiments import ensure_default
from services.tracking.commands.facts import model_changed, model_state
from services.tracking.model import logged_models as rules
from services.tracking.model.experiments import DEFAULT_ID, no_experiment, not_active
from services.tracking.model.logged_models import VERSIONS_TAG, LoggedModel, NewModel, model_uuid
from services.tracking.model.metrics import no_model
from services.tracking.model.names import made_up_name
from services.tracking.model.runs import new_run_uuid
from services.tracking.store import logged_models as store

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Created:
    """A model that was just made, and what was made with it."""

    model: LoggedModel
    params: dict[str, str]
    tags: dict[str, str]


async def create(
    running: Running, principal: Principal, new: NewModel, params: Pairs, tags: Pairs
) -> Created:
    """A new logged model, pending, with its params and tags."""
    rules.check_name(new.name)
    rules.check_origin(new.model_type, new.source_run_id)
    kept, tagged = rules.params_of(params), rules.tags_of(tags)
    if new.experiment_id == DEFAULT_ID:
        await ensure_default(running, principal)
    model = _new_model(principal, new)
    fact = contract.LoggedModelCreated(version=model.version, model=model_state(model))
    told = outbox_columns(running, [fact], principal)
    outcome = await store.create(running.database, model, kept, tagged, told)
    if outcome.why:
        raise (
            no_experiment(new.experiment_id)
            if outcome.why == "no-experiment"
            else not_active(new.experiment_id, outcome.stage)
        )
    reach("write.after-commit")
    running.wake_relay()
    return Created(model.made(outcome.made), kept, tagged)


async def finalize(running: Running, principal: Principal, model_id: str, status: int) -> None:
    """Give a model its status; also one that was deleted, as in MLflow."""
    async with unit_of_work(running, principal) as work:
        model = (await _to_change(work, principal, model_id)).finalized(status)
        await store.save(work.connection, principal.tenant_no, model)
        await _record_change(work, principal, model)


async def delete(running: Running, principal: Principal, model_id: str) -> None:
    """Put a model aside; doing it twice is no error."""
    async with unit_of_work(running, principal) as work:
        model = await _to_change(work, principal, model_id)
        if model.lifecycle_stage == "deleted":
            work.silent("the model is deleted already")
            return
        gone = await store.save(work.connection, principal.tenant_no, model.put_aside())
        work.record(contract.LoggedModelDeleted(version=gone.version, model=model_state(gone)))


async def set_tags(running: Running, principal: Principal, model_id: str, given: Pairs) -> None:
    """Set tags of a model, replacing values."""
    tags = rules.tags_of(given)
    async with unit_of_work(running, principal) as work:
        model = await _to_change(work, principal, model_id)
        if not tags:
            work.silent("no tags were given")
            return
        stored = model_uuid(model_id)
        if VERSIONS_TAG in tags:
            # The stock client read the tag a moment ago and adds its version to what it saw.
            known = await store.known_versions(
                work.connection, principal.tenant_no, model.workspace_id, stored
            )
            tags[VERSIONS_TAG] = rules.versions_tag(tags[VERSIONS_TAG], known)
        await store.set_tags(work.connection, principal.tenant_no, stored, tags)
        await _save_change(work, principal, model)


async def delete_tag(running: Running, principal: Principal, model_id: str, key: str) -> None:
    """Take a tag off a model."""
    async with unit_of_work(running, principal) as work:
        model = await _to_change(work, principal, model_id)
        stored = model_uuid(model_id)
        if not await store.delete_tag(work.connection, principal.tenant_no, stored, key):
            raise rules.no_tag(model_id, key)
        await _save_change(work, principal, model)


async def log_params(running: Running, principal: Principal, model_id: str, given: Pairs) -> None:
    """Add params to a model; one that is there already keeps its value."""
    params = rules.params_of(given)
    async with unit_of_work(running, principal) as work:
        model = await _to_change(work, principal, model_id)
        if not params:
            work.silent("no params were given")
            return
        changed = await store.add_params(
            work.connection, principal.tenant_no, model_uuid(model_id), params
        )
        if changed is not None:
            raise rules.param_changed(*changed)
        await _save_change(work, principal, model)


async def keep_versions_tag(work: UnitOfWork, model: LoggedModel) -> None:
    """Bring the tag that names a model's registered versions in line with what is known."""
    tenant_no, stored = work.acting.tenant_no, model_uuid(model.model_id)
    known = await store.known_versions(work.connection, tenant_no, model.workspace_id, stored)
    before = await store.versions_tag(work.connection, tenant_no, stored)
    after = rules.versions_tag(before or "", known)
    if after == (before or ""):
        return
    if rules.is_empty_versions_tag(after):
        await store.delete_tag(work.connection, tenant_no, stored, VERSIONS_TAG)
    else:
        await store.set_tags(work.connection, tenant_no, stored, {VERSIONS_TAG: after})
    changed = model.changed()
    await store.save_version(work.connection, tenant_no, changed)
    tags = await store.tags(work.connection, tenant_no, stored)
    work.record(model_changed(changed, tags))


def _new_model(principal: Principal, new: NewModel) -> LoggedModel:
    model_id = rules.model_id_of(new_run_uuid())
    return LoggedModel(
        model_id=model_id,
        workspace_id=principal.workspace_id,
        experiment_id=new.experiment_id,
        version=1,
        name=new.name or made_up_name(),
        artifact_uri=rules.artifact_uri(new.experiment_id, model_id),
        status=rules.PENDING,
        lifecycle_stage="active",
        model_type=new.model_type,
        source_run_id=new.source_run_id,
        creation_time=0,
        last_update_time=0,
    )


async def _save_change(work: UnitOfWork, principal: Principal, model: LoggedModel) -> None:
    changed = model.changed()
    await store.save_version(work.connection, principal.tenant_no, changed)
    await _record_change(work, principal, changed)


async def _record_change(work: UnitOfWork, principal: Principal, model: LoggedModel) -> None:
    stored = model_uuid(model.model_id)
    work.record(
        model_changed(model, await store.tags(work.connection, principal.tenant_no, stored))
    )


async def _to_change(work: UnitOfWork, principal: Principal, model_id: str) -> LoggedModel:
    found = await store.to_change(
        work.connection, principal.tenant_no, principal.workspace_id, model_uuid(model_id)
    )
    if found is None:
        raise no_model(model_id)
    return found
