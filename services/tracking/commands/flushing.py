"""Flushes of the group commit: writes become sections, sections one statement, conflicts answers.

What several requests log into one run, and cannot be refused to one of them alone, is one write.
Points of all writes of a tenant are told in one fact, or as few as its size allows.
"""

from collections.abc import Awaitable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import msgspec
from opentelemetry.trace import SpanKind

from libs.common.contracts.tracking import POINTS_KEY, MetricsLogged, RunCreated
from libs.common.database.world import is_lock
from libs.common.errors import Refusal
from libs.common.events.outbox import outbox_columns
from libs.common.failpoints import reach
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.cache import changed
from services.tracking.commands.facts import details_logged
from services.tracking.commands.group_commit import LockedOut
from services.tracking.commands.telemetry import (
    MOST_VALUES_TOGETHER,
    Filling,
    add_part,
    parts_of,
)
from services.tracking.model.metrics import Point
from services.tracking.store.sections import (
    Conflict,
    CreatedSection,
    LoggedSection,
    create,
    log,
)


@dataclass(slots=True)
class Logged:
    """What one request logs into a run; `trace` is the `traceparent` of its span."""

    principal: Principal
    run_id: str
    run: UUID
    points: Sequence[Point]
    params: dict[str, str]
    tags: dict[str, str]
    trace: str

    @property
    def tenant_no(self) -> int:
        """The caller's tenant."""
        return self.principal.tenant_no

    @property
    def entries(self) -> int:
        """How many points, params and tags."""
        return len(self.points) + len(self.params) + len(self.tags)

    @property
    def alone(self) -> Hashable | None:
        """Two writes of one run's params are judged one after the other."""
        return self.run if self.params else None

    @property
    def together(self) -> Hashable | None:
        """With whom this is accepted or refused alike, None where that is not certain."""
        if self.params or any(point.model_id for point in self.points):
            return None
        return self.run, self.principal.workspace_id, self.principal.subject


@dataclass(slots=True)
class Created:
    """A run that one request makes, with its fact; `trace` is the `traceparent` of its span."""

    principal: Principal
    experiment_id: int
    run: UUID
    name: str
    user_id: str
    start_time: int
    artifact_uri: str
    tags: dict[str, str]
    fact: RunCreated
    trace: str

    @property
    def tenant_no(self) -> int:
        """The caller's tenant."""
        return self.principal.tenant_no

    @property
    def entries(self) -> int:
        """The run and its tags."""
        return 1 + len(self.tags)

    @property
    def alone(self) -> Hashable | None:
        """Runs may be made together."""
        return None


@dataclass(slots=True)
class _Merged:
    """Writes of one run that are accepted or refused alike, as one write of a section."""

    first: Logged
    points: list[Point]
    tags: dict[str, str]
    places: list[int] = field(default_factory=list)


async def flush_logged(running: Running, writes: Sequence[Logged]) -> list[Conflict | None]:
    """Store what was logged; why a write was refused, None where it is stored.

    What is kept of the runs is given up before anybody is answered, also where it is not known
    whether COMMIT came to pass.
    """
    merged: dict[int, dict[Hashable, _Merged]] = {}
    for place, write in enumerate(writes):
        of_tenant = merged.setdefault(write.tenant_no, {})
        together = write.together
        key: Hashable = place if together is None else together
        found = of_tenant.get(key)
        if found is None:
            of_tenant[key] = _Merged(write, list(write.points), dict(write.tags), [place])
        else:
            found.points += write.points
            found.tags.update(write.tags)
            found.places.append(place)
    groups = [list(merged[tenant_no].values()) for tenant_no in sorted(merged)]
    sections = [_logged_section(running, group) for group in groups]
    with _flushing(running, [write.trace for write in writes]):
        try:
            conflicts = await _stored(log(running.database, sections))
        finally:
            await changed(running, {(write.tenant_no, write.run) for write in writes})
    _committed(running)
    return _answers(len(writes), [[one.places for one in group] for group in groups], conflicts)


async def flush_created(running: Running, writes: Sequence[Created]) -> list[Conflict | None]:
    """Make runs; why one was not made, None where it was."""
    topic = running.topic_of[RunCreated]
    places: dict[int, list[int]] = {}
    for place, write in enumerate(writes):
        places.setdefault(write.tenant_no, []).append(place)
    groups = [places[tenant_no] for tenant_no in sorted(places)]
    sections = []
    for group in groups:
        principal = writes[group[0]].principal
        section = CreatedSection(
            principal.tenant_no, UUID(principal.tenant), topic.name, topic.type_of(RunCreated)
        )
        for place in group:
            _add_created(section, writes[place])
        sections.append(section)
    with _flushing(running, [write.trace for write in writes]):
        conflicts = await _stored(create(running.database, sections))
    _committed(running)
    return _answers(len(writes), [[[place] for place in group] for group in groups], conflicts)


def _answers(
    count: int, places: Sequence[Sequence[Sequence[int]]], conflicts: Iterable[Conflict]
) -> list[Conflict | None]:
    """The conflicts at the places of the requests that they are of, by section and write."""
    answers: list[Conflict | None] = [None] * count
    for conflict in conflicts:
        for place in places[conflict.section - 1][conflict.write - 1]:
            answers[place] = conflict
    return answers


def _logged_section(running: Running, group: Sequence[_Merged]) -> LoggedSection:
    section: LoggedSection | None = None
    for number, merged in enumerate(group, 1):
        principal = merged.first.principal
        if section is None:
            section = LoggedSection(principal.tenant_no, UUID(principal.tenant))
        section.workspaces.append(principal.workspace_id)
        section.run_ids.append(merged.first.run)
        _add_points(section, number, merged.points)
        section.param_writes += [number] * len(merged.first.params)
        section.param_keys += merged.first.params.keys()
        section.param_values += merged.first.params.values()
        section.tag_writes += [number] * len(merged.tags)
        section.tag_keys += merged.tags.keys()
        section.tag_values += merged.tags.values()
        _add_facts(running, section, number, merged)
    assert section is not None
    _tell_points(running, section, group)
    return section


def _add_points(section: LoggedSection, number: int, points: Sequence[Point]) -> None:
    in_context = bool(section.point_models) or any(
        point.model_id or point.dataset_name for point in points
    )
    if in_context and not section.point_models:
        before = len(section.point_keys)
        section.point_models += [""] * before
        section.point_names += [""] * before
        section.point_digests += [""] * before
    for point in points:
        section.point_keys.append(point.key)
        section.point_values.append(point.value)
        section.point_times.append(point.time)
        section.point_steps.append(point.step)
    if in_context:
        section.point_models += [point.model_id for point in points]
        section.point_names += [point.dataset_name for point in points]
        section.point_digests += [point.dataset_digest for point in points]
    section.point_writes += [number] * len(points)


def _add_facts(running: Running, section: LoggedSection, number: int, merged: _Merged) -> None:
    if not merged.first.params and not merged.tags:
        return
    fact = details_logged(merged.first.run_id, params=merged.first.params, tags=merged.tags)
    told = outbox_columns(running, [fact], merged.first.principal)
    section.fact_writes.append(number)
    section.fact_ids += told.event_ids
    section.fact_topics += told.topics
    section.fact_types += told.types
    section.fact_keys += told.keys
    section.fact_versions += told.versions
    section.fact_payloads += told.payloads
    section.fact_subjects.append(told.subject)
    section.fact_traces.append(merged.first.trace)


def _tell_points(running: Running, section: LoggedSection, group: Sequence[_Merged]) -> None:
    topic = running.topic_of[MetricsLogged]
    section.told_topic, section.told_type = topic.name, topic.type_of(MetricsLogged)
    section.told_key = POINTS_KEY
    filling, room = Filling(), MOST_VALUES_TOGETHER
    for number, merged in enumerate(group, 1):
        write = merged.first
        for part in parts_of(write.run_id, merged.points, room) if merged.points else ():
            room -= len(part.values)
            add_part(section, filling, number, part, write.principal.subject, write.trace)


def _add_created(section: CreatedSection, write: Created) -> None:
    section.workspaces.append(write.principal.workspace_id)
    section.experiment_ids.append(write.experiment_id)
    section.run_ids.append(write.run)
    section.names.append(write.name)
    section.user_ids.append(write.user_id)
    section.start_times.append(write.start_time)
    section.artifact_uris.append(write.artifact_uri)
    section.subjects.append(write.principal.subject)
    section.traces.append(write.trace)
    section.tag_writes += [len(section.run_ids)] * len(write.tags)
    section.tag_keys += write.tags.keys()
    section.tag_values += write.tags.values()
    section.fact_ids.append(uuid4())
    section.fact_payloads.append(msgspec.json.encode(write.fact).decode())


@contextmanager
def _flushing(running: Running, traces: Iterable[str]) -> Iterator[None]:
    """A span in the trace of the first write that is traced, linked to those of the others."""
    traced = [trace for trace in traces if trace] if running.tracing.enabled else []
    parent = traced[0] if traced else ""
    with running.tracing.span(
        "group commit", kind=SpanKind.INTERNAL, parent=parent, links=traced[1:]
    ):
        reach("write.before-commit")
        yield


async def _stored(asked: Awaitable[list[Conflict]]) -> list[Conflict]:
    try:
        return await asked
    except Refusal as refusal:
        if is_lock(refusal.__cause__):
            raise LockedOut from refusal
        raise


def _committed(running: Running) -> None:
    reach("write.after-commit")
    running.wake_relay()
