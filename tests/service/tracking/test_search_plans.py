"""How PostgreSQL finds the runs of the commonest searches: by the indexes that are there for them.

As the service asks: its role, under row level security, among the rows of other tenants.
"""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

import asyncpg
import pytest
import pytest_asyncio

from libs.common.database import Connection
from libs.common.filters.pages import Page
from services.tracking.model.filters import run_clauses, run_orders
from services.tracking.queries.run_filters import PARENT_TAG
from services.tracking.queries.runs import RunSearch, search_runs
from tests.serving import Client, new_tenant

RUNS: Final = 10_000
FEW_RUNS: Final = 500
PARENT: Final = "0123456789abcdef0123456789abcdef"
# Experiment 1 holds most runs of a tenant and experiment 2 some.
_MAKE: Final = (
    """
    INSERT INTO experiments (tenant_no, experiment_id, workspace_id, name, artifact_location,
                             creation_time, last_update_time, created_by)
    SELECT $1, n, 1, 'e' || n, '', 0, 0, '' FROM generate_series(1, 2) n
    """,
    """
    INSERT INTO runs (tenant_no, experiment_id, run_id, workspace_id, start_time, status, name,
                      user_id, artifact_uri, created_by)
    SELECT $1, CASE WHEN n <= $2::int4 THEN 2 ELSE 1 END, gen_random_uuid(), 1, n, 'FINISHED',
           'r' || n, 'ada', '', '' FROM generate_series(1, $3::int4) n
    """,
    """
    INSERT INTO metric_keys (tenant_no, key) SELECT $1, 'm' || n FROM generate_series(1, 2) n
    """,
    """
    INSERT INTO latest_metrics (tenant_no, key_no, run_no, step, ts, value)
    SELECT $1, k.key_no, r.run_no, 0, 0, random() FROM runs r JOIN metric_keys k USING (tenant_no)
    WHERE tenant_no = $1
    """,
    """
    INSERT INTO params (tenant_no, run_no, key, value)
    SELECT $1, r.run_no, 'p' || n, 'v' || (r.run_no % 10)
    FROM runs r CROSS JOIN generate_series(1, 2) n WHERE r.tenant_no = $1
    """,
    """
    INSERT INTO run_tags (tenant_no, run_no, key, value)
    SELECT $1, r.run_no, CASE WHEN r.run_no % 4 = 0 THEN 'mlflow.parentRunId' ELSE 'other' END,
           CASE WHEN r.run_no % 1000 = 0 THEN $2::text ELSE md5(r.run_no::text) END
    FROM runs r WHERE r.tenant_no = $1
    """,
)
_TABLES: Final = ("runs", "latest_metrics", "params", "run_tags", "metric_keys", "experiments")


@dataclass
class Explained:
    """Stands for a connection: tells how a statement would be done, and finds nothing."""

    connection: Connection
    plans: list[dict[str, Any]] = field(default_factory=list)

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """The plan of a statement with these values."""
        found = await self.connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *values)
        self.plans.append(json.loads(found)[0]["Plan"])
        return []

    async def execute(self, sql: str) -> str:
        """What the search says beforehand about its plan."""
        return await self.connection.execute(sql)


@dataclass(frozen=True)
class Crowd:
    """Clients of two tenants: one whose runs fill the tables, and one with few among them."""

    large: Client
    small: Client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crowd(tracking: Client, platform_environment: dict[str, str]) -> AsyncIterator[Crowd]:
    """Both tenants with their runs."""
    admin = await asyncpg.connect(platform_environment["MAESTRO_POSTGRES_URL"])
    found = Crowd(tracking.of(new_tenant()), tracking.of(new_tenant()))
    try:
        await admin.execute("SET ROLE tracking_owner; SET search_path = tracking")
        for client, runs in ((found.large, RUNS), (found.small, FEW_RUNS)):
            number = client.tenant.number
            await admin.execute("SELECT set_config('app.tenant', $1, false)", str(number))
            await admin.execute(_MAKE[0], number)
            await admin.execute(_MAKE[1], number, runs // 10, runs)
            for statement in _MAKE[2:5]:
                await admin.execute(statement, number)
            await admin.execute(_MAKE[5], number, PARENT)
        for table in _TABLES:
            await admin.execute(f"VACUUM (ANALYZE) {table}")
        yield found
    finally:
        await admin.close()


def search_of(client: Client, experiments: list[int], text: str, *orders: str) -> RunSearch:
    """A search of a tenant's active runs."""
    page = Page(b"key", client.tenant.number, 1, "")
    return RunSearch(experiments, run_clauses(text), run_orders(orders), ["active"], 100, page)


async def plan_of(
    client: Client, experiments: list[int], text: str, *orders: str
) -> dict[str, Any]:
    """How a search of runs would be done."""
    number = client.tenant.number
    search = search_of(client, experiments, text, *orders)
    async with client.running.database.reading(number) as connection:
        explained = Explained(connection)
        await search_runs(cast("Connection", explained), number, 1, search, experiments)
    return explained.plans[0]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's steps."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def indexes(plan: dict[str, Any]) -> set[str]:
    """The indexes that a plan looks into."""
    return {node["Index Name"] for node in nodes(plan) if "Index Name" in node}


def whole_tables(plan: dict[str, Any]) -> set[str]:
    """The tables that a plan reads from end to end."""
    return {node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"}


def sorts(plan: dict[str, Any]) -> bool:
    """Whether a plan sorts rows, which it must read first, instead of stopping after a page."""
    return any(node["Node Type"] == "Sort" for node in nodes(plan))


@pytest.mark.parametrize("experiment", [1, 2])
async def test_the_newest_runs_come_in_the_order_of_their_index(
    crowd: Crowd, experiment: int
) -> None:
    plan = await plan_of(crowd.large, [experiment], "")
    assert indexes(plan) == {"runs_newest"}
    assert not whole_tables(plan)
    assert not sorts(plan)


async def test_children_are_found_by_the_index_of_parents(crowd: Crowd) -> None:
    plan = await plan_of(crowd.large, [1], f"tags.`{PARENT_TAG}` = '{PARENT}'")
    assert "run_tags_parent" in indexes(plan)
    assert not whole_tables(plan)


async def test_a_metric_and_a_param_are_looked_up_by_their_run(crowd: Crowd) -> None:
    plan = await plan_of(
        crowd.small, [1], "metrics.m1 > 0.5 and params.p1 = 'v3'", "metrics.m1 DESC"
    )
    assert "latest_metrics_pkey" in indexes(plan)
    # The keys of all metrics are a page or two. Where nearly all of the rows are the tenant's, as
    # with the large one, reading whole tables is the shorter way, and PostgreSQL goes it.
    assert whole_tables(plan) <= {"metric_keys"}


async def test_a_param_is_found_by_its_value_where_few_have_it(crowd: Crowd) -> None:
    for order in ((), ("metrics.m1 DESC",)):
        plan = await plan_of(crowd.large, [1], "metrics.m1 > 0.5 and params.p1 = 'rare'", *order)
        assert "params_by_value" in indexes(plan)
        assert whole_tables(plan) <= {"metric_keys"}
    longer = await plan_of(crowd.large, [1], f"params.p1 = '{'ä' * 51}'")
    assert "params_by_value" not in indexes(longer)


async def test_a_filter_by_a_param_alone_stops_after_a_page(crowd: Crowd) -> None:
    plan = await plan_of(crowd.large, [1], "params.p1 = 'v3'")
    assert {"runs_newest", "params_pkey"} <= indexes(plan)
    assert not whole_tables(plan)
    assert not sorts(plan)


async def test_runs_are_found_by_their_ids(crowd: Crowd) -> None:
    plan = await plan_of(crowd.large, [1], f"run_id IN ('{PARENT}')")
    assert "runs_tenant_no_run_id_key" in indexes(plan)
    assert not whole_tables(plan)


async def test_a_search_that_comes_often_is_planned_for_its_own_values(crowd: Crowd) -> None:
    number = crowd.large.tenant.number
    async with crowd.large.running.database.reading(number) as connection:
        for n in range(8):
            text = f"metrics.m1 > 0.5 and params.p1 = 'v{n}' and params.p2 = 'v{n}'"
            await search_runs(connection, number, 1, search_of(crowd.large, [1], text), [1])
        plans = await connection.fetchrow(
            "SELECT max(custom_plans) AS custom, max(generic_plans) AS generic"
            " FROM pg_prepared_statements WHERE statement LIKE 'SELECT r.run_no%'"
        )
    assert plans is not None
    assert plans["custom"] >= 8
    assert plans["generic"] == 0
