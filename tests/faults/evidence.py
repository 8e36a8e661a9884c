"""What the databases hold at the end, held against what clients were told."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from tests.faults.writers import Oracle
from tests.signing import Tenant
from tests.waiting import eventually

RUNS = "tracking.run.v1"
# Whether they lie in rows or packed.
POINTS_OF_RUNS = """
SELECT r.run_id, count(*) AS points, count(DISTINCT (p.key_no, p.step)) AS different
FROM (SELECT run_no, key_no, step FROM metric_points
      UNION ALL SELECT s.run_no, s.key_no, step_at(s, place)
      FROM metric_segments s CROSS JOIN generate_series(1, s.points) AS place) p
JOIN runs r USING (run_no) GROUP BY r.run_id
"""


@dataclass(frozen=True)
class Sighting:
    """One effect of one fact."""

    event_id: str
    topic: str
    key: str
    version: int


@dataclass
class Evidence:
    """What tracking owns, what the registry knows of it, and what the witness saw."""

    runs: dict[str, int]
    experiments: dict[str, str]
    known_runs: dict[str, int]
    sightings: list[Sighting]
    # How many points of each run are stored, and how many of them are different ones.
    points: dict[str, tuple[int, int]]

    def lost(self, oracle: Oracle) -> list[str]:
        """What was acknowledged and is not there, at its owner or where its fact should be."""
        seen = {(s.topic == RUNS, s.key, s.version) for s in self.sightings}
        gone = [
            run_id
            for run_id, version in oracle.runs.items()
            if self.runs.get(run_id, 0) < version
            or self.known_runs.get(run_id, 0) < version
            or any((True, run_id, v) not in seen for v in range(1, version + 1))
        ]
        gone += [
            name
            for experiment_id, name in oracle.experiments.items()
            if self.experiments.get(experiment_id) != name or (False, experiment_id, 1) not in seen
        ]
        gone += [
            f"points of {run_id}"
            for run_id, count in oracle.points.items()
            if self.points.get(run_id, (0, 0))[1] != count
        ]
        return gone

    def unexplained(self, oracle: Oracle) -> int:
        """How many more writes are stored than were acknowledged or left uncertain."""
        batches = [count for count, _ in self.points.values()]
        whole = sum(self.runs.values()) + len(batches) + len(self.experiments)
        # Default comes with the first run that is made in it; nobody asks for it.
        whole -= "0" in self.experiments
        return max(0, whole - oracle.acknowledged - oracle.uncertain)

    def doubled(self) -> list[str]:
        """Points that are stored and facts that had an effect more than once."""
        by_event = Counter(s.event_id for s in self.sightings)
        by_version = Counter((s.topic, s.key, s.version) for s in self.sightings)
        return [
            *(event for event, count in by_event.items() if count > 1),
            *(str(key) for key, count in by_version.items() if count > 1),
            *(run_id for run_id, (count, different) in self.points.items() if count > different),
        ]

    def out_of_order(self) -> list[str]:
        """Things whose facts had their effects in another order than they happened in."""
        newest: dict[tuple[str, str], int] = {}
        found = []
        for sighting in self.sightings:
            thing = (sighting.topic, sighting.key)
            if sighting.version < newest.get(thing, 0):
                found.append(sighting.key)
            newest[thing] = sighting.version
        return found

    @property
    def settled(self) -> bool:
        """Whether everything that is there has been told and heard."""
        seen = {(s.topic == RUNS, s.key, s.version) for s in self.sightings}
        wanted = {(True, run_id, version) for run_id, version in self.runs.items()}
        wanted |= {(False, experiment_id, 1) for experiment_id in self.experiments}
        return self.known_runs == self.runs and wanted <= seen


async def gathered(env: Mapping[str, str], tenant: Tenant) -> Evidence:
    """The evidence as it stands, seen with each service's own role."""
    runs = await _rows(env, "tracking", tenant, "SELECT run_id, version FROM runs")
    experiments = await _rows(
        env, "tracking", tenant, "SELECT experiment_id, name FROM experiments"
    )
    known = await _rows(env, "registry", tenant, "SELECT run_id, version FROM known_runs")
    seen = await _rows(
        env, "witness", tenant, "SELECT event_id, topic, key, version FROM sightings ORDER BY line"
    )
    points = await _rows(env, "tracking", tenant, POINTS_OF_RUNS)
    return Evidence(
        runs={row["run_id"].hex: row["version"] for row in runs},
        experiments={str(row["experiment_id"]): row["name"] for row in experiments},
        known_runs={row["run_id"]: row["version"] for row in known},
        sightings=[Sighting(str(r["event_id"]), r["topic"], r["key"], r["version"]) for r in seen],
        points={row["run_id"].hex: (row["points"], row["different"]) for row in points},
    )


async def settled(env: Mapping[str, str], tenant: Tenant, within: float) -> Evidence:
    """The evidence once everything has been told and heard."""

    async def found() -> Evidence | None:
        evidence = await gathered(env, tenant)
        return evidence if evidence.settled else None

    evidence = await eventually(found, within=within, pause=0.1)
    assert evidence is not None
    return evidence


async def _rows(
    env: Mapping[str, str], service: str, tenant: Tenant, sql: str
) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(
        env[f"{service}_DATABASE_URL".upper()], server_settings={"search_path": service}
    )
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('app.tenant', $1, true)", str(tenant.number)
            )
            return list(await connection.fetch(sql))
    finally:
        await connection.close()
