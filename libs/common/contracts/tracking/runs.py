"""Facts of runs, and of what is logged into them besides points."""

from typing import Final

import msgspec

from libs.common.contracts.topic import Topic


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands, without what was logged into it; times are the client's milliseconds."""

    run_id: str
    workspace_id: int
    experiment_id: str
    name: str
    status: str
    lifecycle_stage: str
    artifact_uri: str
    start_time: int | None = None
    end_time: int | None = None


class RunCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A run was started; `forked_from` is the run that it continues, after `forked_at_step`."""

    version: int
    run: Run
    tags: dict[str, str] = {}
    forked_from: str = ""
    forked_at_step: int | None = None


class RunChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A run's status, name or end time changed."""

    version: int
    run: Run


class RunDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A run was put aside; it can be restored."""

    version: int
    run: Run


class RunRestored(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted run is active again."""

    version: int
    run: Run


class RunCondemned(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted run is past its time: it is removed when the registry says that it may be."""

    version: int
    run: Run


class RunRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A run is gone for good, with what was logged into it and its artifacts."""

    version: int
    run: Run


class RunSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands, told again on request."""

    version: int
    run: Run


class RunDetailsLogged(msgspec.Struct, frozen=True, kw_only=True):
    """Params, tags, inputs or outputs were written to a run; only what this write brought.

    Not part of the run's state above, so `version` is 0 and no projection of runs reads it.
    """

    run_id: str
    version: int = 0
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    deleted_tags: list[str] = []
    datasets: list[str] = []
    model_inputs: list[str] = []
    model_outputs: list[str] = []


def _run_key(fact: RunCreated | RunDetailsLogged) -> str:
    return fact.run_id if isinstance(fact, RunDetailsLogged) else fact.run.run_id


RUNS: Final = Topic(
    "tracking.run.v1",
    {
        "created": RunCreated,
        "changed": RunChanged,
        "deleted": RunDeleted,
        "restored": RunRestored,
        "condemned": RunCondemned,
        "removed": RunRemoved,
        "details-logged": RunDetailsLogged,
        "snapshot": RunSnapshot,
    },
    _run_key,
)
