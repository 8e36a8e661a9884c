"""One tenant's messages of a batch: judged in their order, and gathered into what is to be written.

A message is taken whole or not at all. Nothing here is stored yet, so a judgement costs nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from libs.common.access.guard import insist
from libs.common.contracts.ingest import PASS_HEADER, RunStart
from libs.common.errors import Refusal
from libs.common.principal import Principal
from services.tracking.model import limits
from services.tracking.model.experiments import artifact_location, no_experiment
from services.tracking.model.experiments import not_active as experiment_not_active
from services.tracking.model.ingest_messages import Columns, Opened, Rejected
from services.tracking.model.metrics import no_model
from services.tracking.model.runs import RUN_NAME_TAG, Run, check_active, no_run, run_name
from services.tracking.model.usage import Usage

_CREATE: Final = "run.create"
_LOG: Final = "run.log"
_UPDATE: Final = "run.update"


@dataclass(frozen=True, slots=True)
class Place:
    """An experiment, as far as decisions need it."""

    workspace_id: int
    name: str
    owner: str
    lifecycle_stage: str


@dataclass(slots=True)
class Held:
    """A run that messages are about; `made` is how it begins, where one of them creates it."""

    run: Run
    place: Place
    made: Run | None = None
    creator: str = ""


@dataclass(slots=True)
class Brought:
    """What one subject's messages brought to one run; of points by key the last step, and how many."""

    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """How many points."""
        return sum(self.counts.values())


@dataclass(slots=True)
class Section:
    """What is known of the tenant's things, and what its messages come to.

    `ended` are credentials that ended before their time, `models` the logged models that are there,
    with their workspaces; `usage` counts the runs of today, None where no message creates any.
    """

    active: bool
    ended: set[str]
    runs: dict[UUID, Held]
    places: Mapping[int, Place]
    params: dict[tuple[UUID, str], str]
    models: set[tuple[int, str]]
    usage: Usage | None
    created: list[Held] = field(default_factory=list)
    changed: dict[UUID, str] = field(default_factory=dict)
    new_params: dict[tuple[UUID, str], str] = field(default_factory=dict)
    new_tags: dict[tuple[UUID, str], str] = field(default_factory=dict)
    points: list[tuple[Held, Columns]] = field(default_factory=list)
    brought: dict[tuple[UUID, str], Brought] = field(default_factory=dict)
    _allowed: set[tuple[str, int, str]] = field(default_factory=set)

    def take(self, one: Opened, principal: Principal) -> None:
        """Gather a message of the tenant; raises Rejected, and then nothing of it is gathered."""
        if not self.active:
            raise Rejected(PASS_HEADER, "the tenant is suspended")
        if principal.actor in self.ended:
            raise Rejected(PASS_HEADER, "the credential that asked for it was revoked")
        held = self.runs.get(one.run_id)
        if held is None and one.told.create is not None:
            held = self._started(one, one.told.create, principal)
        try:
            self._insist(one, held, principal)
        except Refusal as refusal:
            raise Rejected("run_id", refusal.message) from None
        assert held is not None
        self._check_contents(one, principal)
        self._gather(one, held, principal.subject)

    def _started(self, one: Opened, create: RunStart, principal: Principal) -> Held:
        number = int(create.experiment_id)
        place = self.places.get(number)
        missing = no_experiment(number)
        try:
            if place is None or place.workspace_id != principal.workspace_id:
                raise missing
            insist(principal, _CREATE, place.name, place.owner, missing=missing)
            if place.lifecycle_stage != "active":
                raise experiment_not_active(number, place.lifecycle_stage)
            if self.usage is not None:
                self.usage.insist_on_run()
            name = run_name(create.name, one.tags.get(RUN_NAME_TAG, ""))
        except Refusal as refusal:
            raise Rejected("create", refusal.message) from None
        run = Run(
            run_no=0,
            run_id=one.run_id.hex,
            workspace_id=principal.workspace_id,
            experiment_id=number,
            version=1,
            name=name[: limits.TAG_VALUE_LENGTH],
            user_id=create.user_id,
            status="RUNNING",
            lifecycle_stage="active",
            artifact_uri=f"{artifact_location(number)}/{one.run_id.hex}/artifacts",
            start_time=create.start_time,
            end_time=None,
        )
        return Held(run, place, made=run, creator=principal.subject)

    def _insist(self, one: Opened, held: Held | None, principal: Principal) -> None:
        """Refuse what the pass's owner may not do with the run, or what nobody may."""
        missing = no_run(one.told.run_id)
        if held is None or held.run.workspace_id != principal.workspace_id:
            raise missing
        told, place = one.told, held.place
        for permission, asked in (
            (_CREATE, told.create is not None),
            (_LOG, bool(told.metrics or told.params or told.tags)),
            (_UPDATE, told.status is not None or told.end_time is not None),
        ):
            key = one.granted.actor, held.run.experiment_id, permission
            if asked and key not in self._allowed:
                insist(principal, permission, place.name, place.owner, missing=missing)
                self._allowed.add(key)
        check_active(held.run)
        if told.create is not None and int(told.create.experiment_id) != held.run.experiment_id:
            raise Rejected(
                "create.experiment_id",
                f"the run is there already, in experiment {held.run.experiment_id}",
            )

    def _check_contents(self, one: Opened, principal: Principal) -> None:
        for place, columns in enumerate(one.metrics):
            model_id = columns.context[0]
            if model_id and (principal.workspace_id, model_id) not in self.models:
                raise Rejected(f"metrics[{place}].model_id", no_model(model_id).message)
        for key, value in one.params.items():
            before = self.params.get((one.run_id, key), value)
            if before != value:
                raise Rejected(
                    f"params.{key}", f"it was logged already as {before!r}, and params keep theirs"
                )

    def _gather(self, one: Opened, held: Held, subject: str) -> None:
        told, brought = one.told, self._brought_by(one.run_id, subject)
        if one.run_id not in self.runs:
            self.runs[one.run_id] = held
            self.created.append(held)
            if self.usage is not None:
                self.usage.runs += 1
            self.new_tags[one.run_id, RUN_NAME_TAG] = held.run.name
        for key, value in one.params.items():
            if (one.run_id, key) not in self.params:
                self.params[one.run_id, key] = self.new_params[one.run_id, key] = value
        # A run keeps its name when it is given an empty one.
        tags = {key: value for key, value in one.tags.items() if value or key != RUN_NAME_TAG}
        self.new_tags.update(((one.run_id, key), value) for key, value in tags.items())
        name = tags.get(RUN_NAME_TAG)
        if name == held.run.name:
            name = None
        if name or told.status is not None or told.end_time is not None:
            held.run = held.run.changed(name=name, status=told.status, end_time=told.end_time)
            self.changed[one.run_id] = subject
        brought.params |= one.params
        brought.tags |= tags
        for columns in one.metrics:
            if columns.values:
                self.points.append((held, columns))
                last = max(columns.steps)
                brought.steps[columns.key] = max(last, brought.steps.get(columns.key, last))
                count = brought.counts.get(columns.key, 0) + len(columns.values)
                brought.counts[columns.key] = count

    def _brought_by(self, run_id: UUID, subject: str) -> Brought:
        return self.brought.setdefault((run_id, subject), Brought())
