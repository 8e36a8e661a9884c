"""Every write tells its fact, with the state and the version that others project."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
import pytest

from libs.common.contracts.tracking import EXPERIMENTS, RUN_METRICS, RUNS
from libs.common.events import outbox
from services.tracking.service import SERVICE
from services.tracking.store import runs as stored_runs
from tests.service.tracking.making import new_experiment, new_run
from tests.serving import Client

Fact = tuple[str, int, Any]


@pytest.fixture
def told(platform_environment: Mapping[str, str], client: Client) -> Any:
    """What the client's tenant told so far: (type, version, fact), in the order of the outbox."""

    async def read() -> list[Fact]:
        connection = await asyncpg.connect(platform_environment["TRACKING_RELAY_DATABASE_URL"])
        try:
            rows = await connection.fetch(
                "SELECT topic, type, version, payload FROM tracking.outbox"
                " WHERE tenant_no = $1 ORDER BY seq",
                client.tenant.number,
            )
        finally:
            await connection.close()
        topics = {topic.name: topic for topic in SERVICE.publishes}
        facts = []
        for row in rows:
            kind = topics[row["topic"]].class_of(row["type"])
            assert kind is not None
            fact = msgspec.json.decode(row["payload"], type=kind)
            facts.append((row["type"], row["version"], fact))
        return facts

    return read


async def test_many_runs_that_go_with_their_experiment_are_all_told_or_none(
    client: Client, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_runs, "_PAGE", 2)
    experiment_id = await new_experiment(client, "large")
    # Several begin in the same millisecond, so that a page ends between them.
    runs = [await new_run(client, experiment_id, start_time=at) for at in (9, 5, 5, 5, 5, 5, 1)]
    await client.post("runs/delete", {"run_id": runs[3]})
    other = await new_run(client, "0")
    before = await told()
    experiment = {"experiment_id": experiment_id}

    def fails(_: str) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "reach", fails)
        reply = await client.ask("POST", "/api/2.0/mlflow/experiments/delete", experiment)
    assert reply.status == 503
    assert await told() == before
    await client.post("experiments/delete", experiment)
    facts = (await told())[len(before) :]
    assert facts[0][0] == "tracking.experiment.deleted"
    assert {kind for kind, _, _ in facts[1:]} == {"tracking.run.deleted"}
    assert sorted(fact.run.run_id for _, _, fact in facts[1:]) == sorted({*runs} - {runs[3]})
    await client.post("experiments/restore", experiment)
    restored = (await told())[len(before) + len(facts) + 1 :]
    assert sorted(fact.run.run_id for _, _, fact in restored) == sorted(runs)
    assert {fact.run.lifecycle_stage for _, _, fact in restored} == {"active"}
    assert other not in runs


async def test_a_run_tells_its_life(client: Client, told: Any) -> None:
    experiment_id = await new_experiment(client, "told")
    run_id = await new_run(client, experiment_id, name="first", tags={"t": "1"}, start_time=7)
    await client.post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": 9})
    await client.post(
        "runs/set-tag", {"run_id": run_id, "key": "mlflow.runName", "value": "second"}
    )
    await client.post("runs/delete", {"run_id": run_id})
    await client.post("runs/delete", {"run_id": run_id})
    await client.post("runs/restore", {"run_id": run_id})
    facts = [fact for fact in await told() if fact[0].startswith("tracking.run.")]
    assert [(kind, version) for kind, version, _ in facts] == [
        (RUNS.type_of(type(facts[0][2])), 1),
        ("tracking.run.changed", 2),
        ("tracking.run.changed", 3),
        ("tracking.run.details-logged", 0),
        ("tracking.run.deleted", 4),
        ("tracking.run.restored", 5),
    ]
    created, finished, renamed = (facts[n][2] for n in (0, 1, 2))
    assert created.tags == {"t": "1", "mlflow.runName": "first"}
    assert (created.run.run_id, created.run.experiment_id) == (run_id, experiment_id)
    assert (created.run.status, created.run.start_time) == ("RUNNING", 7)
    assert (finished.run.status, finished.run.end_time) == ("FINISHED", 9)
    assert (renamed.run.name, renamed.run.status) == ("second", "FINISHED")
    assert facts[4][2].run.lifecycle_stage == "deleted"
    assert facts[5][2].run.lifecycle_stage == "active"


async def test_an_experiment_tells_its_life_and_that_of_its_runs(client: Client, told: Any) -> None:
    experiment_id = await new_experiment(client, "before")
    runs = {await new_run(client, experiment_id) for _ in range(3)}
    await client.post("experiments/update", {"experiment_id": experiment_id, "new_name": "after"})
    await client.post(
        "experiments/set-experiment-tag", {"experiment_id": experiment_id, "key": "k", "value": "v"}
    )
    await client.post("experiments/delete", {"experiment_id": experiment_id})
    await client.post("experiments/restore", {"experiment_id": experiment_id})
    facts = await told()
    mine = [
        (kind.rpartition(".")[2], version, fact.experiment)
        for kind, version, fact in facts
        if kind.startswith("tracking.experiment.")
        and fact.experiment.experiment_id == experiment_id
    ]
    assert [(kind, version) for kind, version, _ in mine] == [
        ("created", 1), ("changed", 2), ("changed", 3), ("deleted", 4), ("restored", 5),
    ]  # fmt: skip
    assert (mine[1][2].name, mine[2][2].tags) == ("after", {"k": "v"})
    assert mine[3][2].lifecycle_stage == "deleted"
    for kind in ("deleted", "restored"):
        of_runs = {fact.run.run_id for name, _, fact in facts if name == f"tracking.run.{kind}"}
        assert of_runs == runs
    first = next(fact for kind, _, fact in facts if kind == EXPERIMENTS.type_of(type(fact)))
    assert first.experiment.name == "Default"


async def test_points_tell_which_metrics_moved_and_no_more(client: Client, told: Any) -> None:
    run_id = await new_run(client)
    await client.post(
        "runs/log-batch",
        {
            "run_id": run_id,
            "metrics": [
                {"key": "a", "value": 1, "timestamp": 1, "step": step} for step in (3, 9, 4)
            ]
            + [{"key": "b", "value": 1, "timestamp": 1, "step": -2}],
            "params": [{"key": "p", "value": "1"}],
            "tags": [{"key": "t", "value": "x" * 1_000}],
        },
    )
    [metrics] = [fact for kind, _, fact in await told() if kind == "tracking.run-metrics.logged"]
    [part] = metrics.runs
    assert (part.run_id, part.steps, part.points) == (run_id, {"a": 9, "b": -2}, 4)
    assert part.values[1:] == [("a", 1.0, 1, 9), ("a", 1.0, 1, 4), ("b", 1.0, 1, -2)]
    assert RUN_METRICS.telemetry
    [details] = [fact for kind, _, fact in await told() if kind == "tracking.run.details-logged"]
    assert details.params == {"p": "1"}
    assert details.tags == {"t": "x" * 500}


async def test_points_that_come_with_a_new_name_are_told(client: Client, told: Any) -> None:
    run_id = await new_run(client)
    points = [{"key": "a", "value": 1, "timestamp": 1, "step": step} for step in range(60)]
    tags = [{"key": "mlflow.runName", "value": "renamed"}]
    await client.post("runs/log-batch", {"run_id": run_id, "metrics": points, "tags": tags})
    [metrics] = [fact for kind, _, fact in await told() if kind == "tracking.run-metrics.logged"]
    assert [(part.run_id, part.points) for part in metrics.runs] == [(run_id, 60)]
    run = (await client.get("runs/get", f"run_id={run_id}"))["run"]
    assert run["info"]["run_name"] == "renamed"


async def test_inputs_and_outputs_are_told(client: Client, told: Any) -> None:
    run_id = await new_run(client)
    dataset = {"name": "d", "digest": "1", "source_type": "code", "source": "{}"}
    await client.post(
        "runs/log-inputs",
        {"run_id": run_id, "datasets": [{"dataset": dataset}], "models": [{"model_id": "m-1"}]},
    )
    await client.post("runs/outputs", {"run_id": run_id, "models": [{"model_id": "m-2"}]})
    await client.post("runs/set-tag", {"run_id": run_id, "key": "t", "value": "1"})
    await client.post("runs/delete-tag", {"run_id": run_id, "key": "t"})
    details = [fact for kind, _, fact in await told() if kind == "tracking.run.details-logged"]
    assert (details[0].datasets, details[0].model_inputs) == (["d"], ["m-1"])
    assert details[1].model_outputs == ["m-2"]
    assert details[3].deleted_tags == ["t"]


async def test_what_is_refused_tells_nothing(client: Client, told: Any) -> None:
    run_id = await new_run(client, params={"p": "1"})
    before = len(await told())
    body = {"run_id": run_id, "params": [{"key": "p", "value": "2"}]}
    refused = await client.ask("POST", "/api/2.0/mlflow/runs/log-batch", body)
    unknown = await client.ask("POST", "/api/2.0/mlflow/runs/delete", {"run_id": "0" * 32})
    assert (refused.status, unknown.status) == (400, 404)
    assert len(await told()) == before


async def test_snapshots_tell_the_state_that_the_last_fact_told(client: Client, told: Any) -> None:
    experiment_id = await new_experiment(client, "snapshot")
    run_id = await new_run(client, experiment_id)
    await client.post("runs/update", {"run_id": run_id, "status": "FAILED"})
    for snapshot in SERVICE.snapshots:
        async with client.running.database.reading(client.tenant.number) as connection:
            first = await connection.fetch(snapshot.query, client.tenant.number, "", 1)
            rest = await connection.fetch(
                snapshot.query, client.tenant.number, str(first[0][0]) if first else "", 100
            )
        for row in [*first, *rest]:
            fact: Any = snapshot.fact(row)
            if snapshot.topic is RUNS and fact.run.run_id == run_id:
                assert (fact.version, fact.run.status) == (2, "FAILED")
            if snapshot.topic is EXPERIMENTS and fact.experiment.experiment_id == experiment_id:
                assert (fact.version, fact.experiment.name) == (1, "snapshot")
        if snapshot.topic is EXPERIMENTS:
            assert len(first) + len(rest) == 2
