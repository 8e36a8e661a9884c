"""What a flush of the group commit hands to PostgreSQL: a section of parallel arrays a tenant.

The fields stand in the order of the types in migrations/0010_group_commit.sql and 0015_telemetry.sql.
"""

from dataclasses import dataclass, field, fields
from typing import Final
from uuid import UUID

import msgspec

from libs.common.database import Database

_LOG: Final = "SELECT log_sections($1)"
_CREATE: Final = "SELECT create_sections($1)"


class Conflict(msgspec.Struct, frozen=True):
    """Why one write of a flush was refused; `section` and `write` count from 1."""

    section: int
    write: int
    why: str
    stage: str = ""
    model: str = ""
    params: list[tuple[str, str, str]] = []


@dataclass(slots=True)
class LoggedSection:
    """What a tenant's requests log. Lists of one prefix are parallel; `…_writes` name the write.

    `parts` of what is told of points are joined to facts, of which `part_facts` gives the number.
    """

    tenant_no: int
    tenant: UUID
    workspaces: list[int] = field(default_factory=list)
    run_ids: list[UUID] = field(default_factory=list)
    point_writes: list[int] = field(default_factory=list)
    point_keys: list[str] = field(default_factory=list)
    point_values: list[float] = field(default_factory=list)
    point_times: list[int] = field(default_factory=list)
    point_steps: list[int] = field(default_factory=list)
    point_models: list[str] = field(default_factory=list)
    point_names: list[str] = field(default_factory=list)
    point_digests: list[str] = field(default_factory=list)
    param_writes: list[int] = field(default_factory=list)
    param_keys: list[str] = field(default_factory=list)
    param_values: list[str] = field(default_factory=list)
    tag_writes: list[int] = field(default_factory=list)
    tag_keys: list[str] = field(default_factory=list)
    tag_values: list[str] = field(default_factory=list)
    fact_writes: list[int] = field(default_factory=list)
    fact_ids: list[UUID] = field(default_factory=list)
    fact_topics: list[str] = field(default_factory=list)
    fact_types: list[str] = field(default_factory=list)
    fact_keys: list[str] = field(default_factory=list)
    fact_versions: list[int] = field(default_factory=list)
    fact_payloads: list[str] = field(default_factory=list)
    fact_subjects: list[str] = field(default_factory=list)
    fact_traces: list[str] = field(default_factory=list)
    part_writes: list[int] = field(default_factory=list)
    part_facts: list[int] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    told_topic: str = ""
    told_type: str = ""
    told_key: str = ""
    told_ids: list[UUID] = field(default_factory=list)
    told_subjects: list[str] = field(default_factory=list)
    told_traces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CreatedSection:
    """The runs that a tenant's requests make, one a write."""

    tenant_no: int
    tenant: UUID
    fact_topic: str
    fact_type: str
    workspaces: list[int] = field(default_factory=list)
    experiment_ids: list[int] = field(default_factory=list)
    run_ids: list[UUID] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    user_ids: list[str] = field(default_factory=list)
    start_times: list[int] = field(default_factory=list)
    artifact_uris: list[str] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    tag_writes: list[int] = field(default_factory=list)
    tag_keys: list[str] = field(default_factory=list)
    tag_values: list[str] = field(default_factory=list)
    fact_ids: list[UUID] = field(default_factory=list)
    fact_payloads: list[str] = field(default_factory=list)


async def log(database: Database, sections: list[LoggedSection]) -> list[Conflict]:
    """Store what the sections say, in one transaction; the writes that were refused."""
    return _conflicts(await database.fetchval(_LOG, [_row(section) for section in sections]))


async def create(database: Database, sections: list[CreatedSection]) -> list[Conflict]:
    """Make the runs of the sections, in one transaction; the writes that were refused."""
    return _conflicts(await database.fetchval(_CREATE, [_row(section) for section in sections]))


def _row(section: LoggedSection | CreatedSection) -> tuple[object, ...]:
    return tuple(getattr(section, each.name) for each in fields(section))


def _conflicts(answer: object) -> list[Conflict]:
    return [] if answer is None else msgspec.json.decode(str(answer), type=list[Conflict])
