"""Runs: their states, what may be changed, and how they are named."""

import random
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from libs.common.errors import Refusal, invalid, missing
from services.tracking.model.limits import USER_ID_LENGTH, check_length
from services.tracking.model.names import made_up_name

RUN_NAME_TAG: Final = "mlflow.runName"
STATUSES: Final = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Run:
    """A run without what was logged into it; times are the client's milliseconds."""

    run_no: int
    run_id: str
    workspace_id: int
    experiment_id: int
    version: int
    name: str
    user_id: str
    status: str
    lifecycle_stage: str
    artifact_uri: str
    start_time: int
    end_time: int | None

    def changed(
        self, *, name: str | None = None, status: str | None = None, end_time: int | None = None
    ) -> "Run":
        """The run with a new name, status or end; what is None stays."""
        return replace(
            self,
            version=self.version + 1,
            name=name or self.name,
            status=status or self.status,
            end_time=self.end_time if end_time is None else end_time,
        )

    def put_aside(self) -> "Run":
        """The run as a deleted one."""
        return replace(self, version=self.version + 1, lifecycle_stage="deleted")

    def brought_back(self) -> "Run":
        """The run as an active one."""
        return replace(self, version=self.version + 1, lifecycle_stage="active")


def no_run(run_id: str) -> Refusal:
    """No such run, or none in the caller's workspace: both read the same."""
    return missing(f"Run with id={run_id} not found")


def not_active(run_id: str, stage: str) -> Refusal:
    """A deleted run takes nothing more."""
    return invalid(f"The run {run_id} must be in the 'active' state. Current state is {stage}.")


def check_active(run: Run) -> None:
    """Refuse a change to a run that is put aside."""
    if run.lifecycle_stage != "active":
        raise not_active(run.run_id, run.lifecycle_stage)


def param_changed(run_id: str, key: str, old: str, new: str) -> Refusal:
    """A param keeps its first value."""
    return invalid(
        f"Changing param values is not allowed. Param with key='{key}' was already logged with"
        f" value='{old}' for run ID='{run_id}'. Attempted logging new value '{new}'."
    )


def params_changed(run_id: str, changes: list[tuple[str, str, str]]) -> Refusal:
    """A batch that changes params is refused whole; `changes` are (key, old, new)."""
    told = [{"key": key, "old_value": old, "new_value": new} for key, old, new in changes]
    return invalid(
        f"Changing param values is not allowed. Params were already logged='{told}' for run"
        f" ID='{run_id}'."
    )


def run_uuid(run_id: str) -> UUID:
    """The run id as it is stored; refuses what is none exactly as an id that nobody has."""
    if not _RUN_ID.fullmatch(run_id):
        raise no_run(run_id)
    return UUID(run_id)


def known_run_uuids(run_ids: Iterable[str]) -> list[UUID]:
    """The ids that a run could have, for a search."""
    return [UUID(run_id) for run_id in run_ids if _RUN_ID.fullmatch(run_id)]


def new_run_uuid() -> UUID:
    """A UUID version 7 (RFC 9562): 48 bits of milliseconds, so that new runs are neighbours."""
    stamp = time.time_ns() // 1_000_000
    bits = random.SystemRandom().getrandbits(74)
    high, low = bits >> 62, bits & (2**62 - 1)
    return UUID(int=(stamp & (2**48 - 1)) << 80 | 7 << 76 | high << 64 | 2 << 62 | low)


def run_name(given: str, tagged: str) -> str:
    """The name of a new run: as given, as its tag says, or one that is made up."""
    if given and tagged and given != tagged:
        raise invalid(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different"
            f" values (run_name='{given}', mlflow.runName='{tagged}')."
        )
    return given or tagged or made_up_name()


def check_user_id(user_id: str) -> None:
    """Refuse a user id that is too long; it is the client's word and proves nothing."""
    check_length("user_id", USER_ID_LENGTH, user_id)
