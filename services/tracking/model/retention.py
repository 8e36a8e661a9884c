"""Retention: how long what is deleted is kept before it is removed for good."""

import math
from dataclasses import dataclass
from typing import Final

MOST_DAYS: Final = 36_500


@dataclass(frozen=True, slots=True)
class Retention:
    """Of an experiment; `own` where somebody has said so for it, else it is the platform's.

    `deleted_days` of 0 stand for ever; without `finished_days` finished runs are left alone, and with
    `archive_days` of 0 the points of ended runs stay in the database; None is the platform's number.
    """

    deleted_days: int
    finished_days: int | None
    archive_days: int | None
    own: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """What a collection looks at: a tenant, of it perhaps one workspace.

    `default_days` count where an experiment has no rule of its own; with `days`, which may be 0,
    they count for everything. What was asked about longer than `again_seconds` ago is asked again.
    No step begins anything more after so many `seconds`: what is left waits for the next pass.
    """

    tenant: str
    tenant_no: int
    subject: str
    workspace_id: int | None
    default_days: int
    days: int | None = None
    again_seconds: float = 3600.0
    seconds: float = math.inf


@dataclass(slots=True)
class Collected:
    """What a collection did; `bytes` are what its artifacts held."""

    put_aside: int = 0
    runs: int = 0
    logged_models: int = 0
    experiments: int = 0
    points: int = 0
    bytes: int = 0

    @property
    def anything(self) -> bool:
        """Whether it did anything at all."""
        return any((self.runs, self.logged_models, self.experiments, self.points))
