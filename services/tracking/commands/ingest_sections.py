"""One tenant's messages of a batch: read what they are about, judge them, write what they say.

As the commands of HTTP do, a new run, a change, and what was logged each tell a fact; one a run and
batch, for each who sent it. Points are told together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import msgspec

from libs.common.contracts.tracking import MetricsLogged, RunCreated
from libs.common.database import Connection
from libs.common.errors import unavailable
from libs.common.events.inbox import take
from libs.common.events.messages import Unfit
from libs.common.events.outbox import INSERT, Caused, outbox_columns
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.commands.facts import details_logged, run_changed, run_state
from services.tracking.commands.telemetry import counted, metrics_logged
from services.tracking.model.ingest_messages import Opened, Rejected
from services.tracking.model.ingest_section import Brought, Held, Section
from services.tracking.model.passes import Pass
from services.tracking.model.runs import RUN_NAME_TAG
from services.tracking.queries.usage import usage_of
from services.tracking.state import state_of
from services.tracking.store import ingestion as store

INBOX: Final = "ingest"
# The messages of each tenant by their places in the batch.
Sections = dict[int, dict[int, Opened]]


@dataclass(slots=True)
class Done:
    """What became of a section: nothing is written where any message is unfit."""

    unfit: dict[int, Unfit] = field(default_factory=dict)
    points: int = 0
    tells: bool = False


async def store_section(
    running: Running,
    connection: Connection,
    tenant_no: int,
    given: Mapping[int, Opened],
    principals: Mapping[Pass, Principal],
) -> Done:
    """Write what a tenant's messages say, in the caller's transaction."""
    await store.enter_tenant(connection, tenant_no)
    new = await take(connection, INBOX, [one.inbox_id for one in given.values()])
    fresh: dict[int, Opened] = {}
    for place, one in given.items():
        if one.inbox_id in new:
            new.discard(one.inbox_id)  # the same message twice in one batch
            fresh[place] = one
    done = Done()
    if not fresh:
        return done
    section = await _read(connection, tenant_no, fresh)
    for place, one in fresh.items():
        try:
            section.take(one, principals[one.granted])
        except Rejected as rejected:
            done.unfit[place] = rejected.unfit
    if not done.unfit:
        await _write(running, connection, tenant_no, section)
        done.points = sum(brought.points for brought in section.brought.values())
        tenant = next(iter(fresh.values())).granted.tenant
        done.tells = await _tell(running, connection, Caused(tenant, tenant_no, ""), section)
    return done


async def _read(connection: Connection, tenant_no: int, given: Mapping[int, Opened]) -> Section:
    """What is known of all that the messages are about."""
    messages = list(given.values())
    changing = {one.run_id for one in messages if _changes_run(one)}
    if changing:
        # Before they are read: two writers of one param must not both find it absent.
        await store.lock_runs(connection, tenant_no, sorted(changing))
    asked = sorted({(one.run_id, key) for one in messages for key in one.params})
    experiments = {int(one.told.create.experiment_id) for one in messages if one.told.create}
    models = {columns.context[0] for one in messages for columns in one.metrics} - {""}
    return Section(
        active=await store.is_active(connection, tenant_no),
        ended=await store.ended_among(
            connection, tenant_no, {one.granted.actor for one in messages}
        ),
        runs=await store.runs(connection, tenant_no, sorted({one.run_id for one in messages})),
        places=await store.places(connection, tenant_no, sorted(experiments))
        if experiments
        else {},
        params=await store.params(connection, tenant_no, asked) if asked else {},
        models=await store.models(connection, tenant_no, sorted(models)) if models else set(),
        usage=await usage_of(connection, tenant_no) if experiments else None,
    )


def _changes_run(one: Opened) -> bool:
    told = one.told
    changes = told.status is not None or told.end_time is not None or RUN_NAME_TAG in one.tags
    return changes or bool(one.params)


async def _write(
    running: Running, connection: Connection, tenant_no: int, section: Section
) -> None:
    if section.created:
        numbers = await store.add_runs(connection, tenant_no, section.created)
        for held in section.created:
            number = numbers.get(UUID(held.run.run_id))
            if number is None:
                # What is known of it has to be read anew.
                raise unavailable("Somebody else has just created the run; try again.")
            held.run = replace(held.run, run_no=number)
    run_no = {run_id: held.run.run_no for run_id, held in section.runs.items()}
    if section.changed:
        changed = [section.runs[run_id].run for run_id in section.changed]
        await store.save_runs(connection, tenant_no, changed)
    if section.new_params:
        params = {(run_no[run], key): value for (run, key), value in section.new_params.items()}
        await store.add_params(connection, tenant_no, params)
    if section.points:
        numbers_of_keys = state_of(running).key_numbers
        await store.store_points(connection, tenant_no, section.points, numbers_of_keys)
    if section.new_tags:
        tags = {(run_no[run], key): value for (run, key), value in section.new_tags.items()}
        await store.set_tags(connection, tenant_no, tags)


async def _tell(running: Running, connection: Connection, tenant: Caused, section: Section) -> bool:
    """Record the facts of what was written; whether there is any."""
    facts: dict[str, list[msgspec.Struct]] = {}
    for held in section.created:
        facts.setdefault(held.creator, []).append(_created(held))
    for run_id, subject in section.changed.items():
        facts.setdefault(subject, []).append(run_changed(section.runs[run_id].run))
    for (run_id, subject), brought in section.brought.items():
        if brought.params or brought.tags:
            details = details_logged(run_id.hex, params=brought.params, tags=brought.tags)
            facts.setdefault(subject, []).append(details)
    sender, points = points_told(section.brought)
    if points:
        facts.setdefault(sender, []).extend(points)
    for subject, told in facts.items():
        columns = outbox_columns(running, told, replace(tenant, subject=subject))
        await connection.execute(INSERT, *columns)
    return any(facts.values())


def points_told(
    brought: Mapping[tuple[UUID, str], Brought],
) -> tuple[str, list[MetricsLogged]]:
    """The facts about points that came, and who sent them all, '' where it was not one alone."""
    parts = [
        part
        for (run_id, _), each in brought.items()
        for part in counted(run_id.hex, each.steps, each.counts)
    ]
    senders = {subject for (_, subject), each in brought.items() if each.counts}
    return senders.pop() if len(senders) == 1 else "", metrics_logged(parts)


def _created(held: Held) -> RunCreated:
    made = held.made
    assert made is not None
    return RunCreated(version=made.version, run=run_state(made), tags={RUN_NAME_TAG: made.name})
