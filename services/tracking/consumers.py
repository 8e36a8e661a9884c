"""Events in: of the registry, of experiments elsewhere, plans, revocations, and of producers outside.

The registry's versions leave a tag on the logged models they were made of, and keep these and their
runs from being removed; the registry also answers of what is about to be. A fact carries the
version's state and count, and an older one changes nothing: late, doubled and redriven facts do no
harm.
"""

from typing import Final

from libs.common.contracts import registry
from libs.common.contracts.auth import (
    TENANTS,
    TOKENS,
    USERS,
    PasswordChanged,
    TokenChanged,
    TokenRevoked,
)
from libs.common.contracts.ingest import INGEST
from libs.common.contracts.tracking import EXPERIMENTS, RUN_METRICS, RUNS, ExperimentChanged
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.service import Running, Subscription
from services.tracking.commands.ingestion import ingest
from services.tracking.commands.logged_models import keep_versions_tag
from services.tracking.known import Governing
from services.tracking.live import hub
from services.tracking.model.logged_models import known_uuid
from services.tracking.model.runs import known_run_uuids
from services.tracking.state import state_of
from services.tracking.store.condemned import answered
from services.tracking.store.ingestion import end_credential
from services.tracking.store.logged_models import to_change
from services.tracking.store.part_uploads import drop_of_actor

_LEARN: Final = """
INSERT INTO model_versions AS v (tenant_no, workspace_id, name, number, model_id, run_id, version,
                                 gone)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (tenant_no, workspace_id, name, number) DO UPDATE
SET model_id = excluded.model_id, run_id = excluded.run_id, version = excluded.version,
    gone = excluded.gone
WHERE v.version < excluded.version
RETURNING true
"""
# It was kept for a version that is gone.
_ASK_AGAIN: Final = """
DELETE FROM condemned WHERE tenant_no = $1 AND id = ANY($2::uuid[]) AND state = 'kept'
"""
_LEARN_PLAN: Final = """
INSERT INTO tenant_plans AS p (tenant_no, plan, version) VALUES ($1, $2, $3)
ON CONFLICT (tenant_no) DO UPDATE SET plan = excluded.plan, version = excluded.version
WHERE p.version < excluded.version
"""


async def on_tenant(work: UnitOfWork, event: Event) -> None:
    """A tenant's plan as it stands now."""
    plan: str = event.fact.tenant.plan
    await work.connection.execute(_LEARN_PLAN, event.tenant_no, plan, event.version)


PLANS: Final = Subscription("plans", (TENANTS,), any_fact=on_tenant)


async def on_revocation(work: UnitOfWork, event: Event) -> None:
    """A token was revoked or a password changed: what it began to upload in parts is given up.

    And the passes that producers were given with it are good for nothing any more.
    """
    fact = event.fact
    actor = fact.ended if isinstance(fact, PasswordChanged) else fact.token.token_id
    await drop_of_actor(work.connection, event.tenant_no, actor)
    await end_credential(work.connection, event.tenant_no, actor, 0)


async def on_token_changed(work: UnitOfWork, event: Event) -> None:
    """A token ends sooner than it was to, as another took its place: its passes do as well."""
    token = event.fact.token
    if token.expires_at is not None:
        await end_credential(work.connection, event.tenant_no, token.token_id, token.expires_at)


REVOCATIONS: Final = Subscription(
    name="revocations",
    topics=(TOKENS, USERS),
    handlers={
        TokenRevoked: on_revocation,
        TokenChanged: on_token_changed,
        PasswordChanged: on_revocation,
    },
)
# Messages of producers outside the platform.
INGESTION: Final = Subscription(
    name="ingest", topics=(INGEST,), kind="batch", batch=ingest, lanes=2
)


async def on_model_version(work: UnitOfWork, event: Event) -> None:
    """A registered version as it stands now, and the tag of the model it was made of."""
    told: registry.ModelVersion = event.fact.model_version
    model_id, run_id = known_uuid(told.model_id), next(iter(known_run_uuids([told.run_id])), None)
    if model_id is None and run_id is None:
        return
    # The model before the version: requests lock the model, then read what is known of it.
    model = (
        None
        if model_id is None
        else await to_change(work.connection, event.tenant_no, told.workspace_id, model_id)
    )
    gone = isinstance(event.fact, registry.ModelVersionDeleted)
    learnt = await work.connection.fetchval(
        _LEARN,
        *(event.tenant_no, told.workspace_id, told.name, told.number, model_id, run_id),
        *(event.version, gone),
    )
    if learnt and gone:
        await work.connection.execute(_ASK_AGAIN, event.tenant_no, [model_id, run_id])
    if learnt and model is not None:
        await keep_versions_tag(work, model)


MODEL_VERSIONS: Final = Subscription(
    name="model-versions",
    topics=(registry.MODEL_VERSIONS,),
    handlers={
        registry.ModelVersionCreated: on_model_version,
        registry.ModelVersionChanged: on_model_version,
        registry.ModelVersionTransitioned: on_model_version,
        registry.ModelVersionDeleted: on_model_version,
        registry.ModelVersionSnapshot: on_model_version,
    },
)


async def on_source_released(work: UnitOfWork, event: Event) -> None:
    """No version needs a run or logged model, and none will: it may be removed."""
    await _answered(work, event, "released")


async def on_source_kept(work: UnitOfWork, event: Event) -> None:
    """A version needs a run or logged model, of which nothing was heard here yet."""
    await _answered(work, event, "kept")


async def _answered(work: UnitOfWork, event: Event, state: str) -> None:
    source: str = event.fact.source
    stored = known_uuid(source) or next(iter(known_run_uuids([source])), None)
    if stored is not None:
        await answered(work.connection, event.tenant_no, stored, event.version, state)


SOURCES: Final = Subscription(
    name="sources",
    topics=(registry.SOURCES,),
    handlers={
        registry.SourceReleased: on_source_released,
        registry.SourceKept: on_source_kept,
    },
)


async def on_experiment(running: Running, event: Event) -> None:
    """An experiment was renamed or given to somebody: decisions go by that from now on."""
    told = event.fact.experiment
    state_of(running).known.learn(
        event.tenant_no,
        told.workspace_id,
        Governing(int(told.experiment_id), event.version, told.name, told.owner),
    )


async def forget_experiments(running: Running) -> None:
    """The broadcast was (re)connected: what was told before that may have been missed."""
    state_of(running).known.forget_experiments()


# Every process remembers names and owners, so every process hears of their changes.
EXPERIMENT_CHANGES: Final = Subscription(
    name="experiment-changes",
    topics=(EXPERIMENTS,),
    handlers={ExperimentChanged: on_experiment},
    kind="broadcast",
    connected=forget_experiments,
)

# Our own facts, read by every process in which somebody listens to runs.
LIVE: Final = Subscription(name=hub.NAME, topics=(RUN_METRICS, RUNS), kind="tail")
