"""Runs that continue others: their history is the others' up to a step, then their own."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.http.calling import Reply
from tests.service.tracking.making import data_of, latest, new_run, points_of
from tests.service.tracking.owners import new_model
from tests.serving import Client, new_tenant

Points = list[tuple[str, float, int, int]]


async def ask_fork(client: Client, run_id: str, **body: Any) -> Reply:
    return await client.ask("POST", f"/api/maestro/v1/runs/{run_id}/fork", body)


async def fork(client: Client, run_id: str, **body: Any) -> Any:
    reply = await ask_fork(client, run_id, **body)
    assert reply.status == 201, reply.body
    return json.loads(reply.body)


async def log(client: Client, run_id: str, points: Points, **more: Any) -> None:
    metrics = [
        {"key": key, "value": value, "timestamp": time, "step": step, **more}
        for key, value, time, step in points
    ]
    await client.post("runs/log-batch", {"run_id": run_id, "metrics": metrics})


def line(key: str, steps: Iterable[int], value: float = 0) -> Points:
    return [(key, value + step, 1000 + step, step) for step in steps]


async def test_a_fork_shows_the_past_up_to_its_step_and_goes_on_by_itself(client: Client) -> None:
    source = await new_run(client)
    await log(client, source, line("loss", range(10)))
    made = await fork(client, source, step=4)
    assert (made["forked_from"], made["forked_at_step"]) == (source, 4)
    await log(client, made["run_id"], line("loss", range(5, 7), 100))
    await log(client, source, line("loss", range(10, 12)))
    steps = [(value, step) for value, _, step in await points_of(client, made["run_id"], "loss")]
    assert steps == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (105, 5), (106, 6)]
    assert len(await points_of(client, source, "loss")) == 12
    assert (await latest(client, made["run_id"], "loss"))["value"] == 106


async def test_latest_values_are_those_of_the_step_at_once(client: Client) -> None:
    source = await new_run(client)
    await log(client, source, [*line("loss", range(10)), *line("early", [1]), *line("late", [8])])
    made = await fork(client, source, step=4)
    found = {
        m["key"]: (m["value"], m["step"])
        for m in (await data_of(client, made["run_id"]))["metrics"]
    }
    assert found == {"loss": (4, 4), "early": (1, 1)}
    for condition, expected in (("loss = 4", [made["run_id"]]), ("loss = 9", [source])):
        answer = await client.post(
            "runs/search", {"experiment_ids": ["0"], "filter": f"metrics.{condition}"}
        )
        assert [run["info"]["run_id"] for run in answer["runs"]] == expected


async def test_without_a_step_a_fork_takes_all(client: Client) -> None:
    source = await new_run(client)
    await log(client, source, line("loss", range(3)))
    made = await fork(client, source)
    assert made["forked_at_step"] == 2
    assert await points_of(client, made["run_id"], "loss") == await points_of(
        client, source, "loss"
    )


async def test_params_tags_and_datasets_are_taken_over_and_found(client: Client) -> None:
    source = await new_run(
        client,
        params={"x": "1"},
        tags={"team": "red", "kept": "yes", "mlflow.parentRunId": "0" * 32},
    )
    dataset = {"name": "d", "digest": "1", "source_type": "code", "source": "{}"}
    use = {"dataset": dataset, "tags": [{"key": "mlflow.data.context", "value": "train"}]}
    await client.post("runs/log-inputs", {"run_id": source, "datasets": [use]})
    made = await fork(client, source, run_name="second try", tags={"team": "blue"})
    run_id = made["run_id"]
    answer = await client.post(
        "runs/search",
        {"experiment_ids": ["0"], "filter": "params.x = '1' and tags.team = 'blue'"},
    )
    (found,) = answer["runs"]
    assert found["info"]["run_id"] == run_id
    tags = {tag["key"]: tag["value"] for tag in found["data"]["tags"]}
    assert tags == {
        "team": "blue",
        "kept": "yes",
        "mlflow.runName": "second try",
        "maestro.forkedFrom": source,
        "maestro.forkedAtStep": "0",
    }
    assert found["inputs"]["dataset_inputs"] == [use]


async def test_a_fork_is_named_after_its_source_where_nobody_names_it(client: Client) -> None:
    source = await new_run(client, name="base")
    made = await fork(client, source)
    assert made["run_name"] == "base from step 0"
    again = await ask_fork(client, source, run_name="a", tags={"mlflow.runName": "b"})
    assert again.status == 400


async def test_every_reader_of_histories_composes_a_fork_of_a_fork(client: Client) -> None:
    first = await new_run(client)
    await log(client, first, line("m", range(10)))
    second = (await fork(client, first, step=6))["run_id"]
    await log(client, second, line("m", range(7, 12), 100))
    third = (await fork(client, second, step=8))["run_id"]
    await log(client, third, line("m", [9], 1000))
    # A step before the fork of the source: nothing of the second itself is left.
    early = (await fork(client, second, step=3))["run_id"]
    expected = [0, 1, 2, 3, 4, 5, 6, 107, 108, 1009]
    assert [value for value, _, _ in await points_of(client, third, "m")] == expected
    assert [value for value, _, _ in await points_of(client, early, "m")] == [0, 1, 2, 3]
    both = urlencode({"run_id": [third, early], "metric_key": "m"}, doseq=True)
    reply = await client.ask("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", query=both)
    bulk = [(m["run_id"], m["value"]) for m in json.loads(reply.body)["metrics"]]
    assert sorted(bulk) == sorted([(third, v) for v in expected] + [(early, v) for v in range(4)])
    asked = {"run_ids": [third], "metric_key": "m", "start_step": 5, "end_step": 9}
    sampled = await client.get(
        "metrics/get-history-bulk-interval", urlencode({**asked, "max_results": 10}, doseq=True)
    )
    assert [m["value"] for m in sampled["metrics"]] == [5, 6, 107, 108, 1009]


async def test_pages_of_a_forks_history_are_its_history(client: Client) -> None:
    source = await new_run(client)
    await log(client, source, line("m", range(20)))
    run_id = (await fork(client, source, step=9))["run_id"]
    await log(client, run_id, line("m", range(10, 15)))
    found, token = [], ""
    while True:
        asked = {"run_id": run_id, "metric_key": "m", "max_results": 4}
        page = await client.get(
            "metrics/get-history", urlencode(asked | ({"page_token": token} if token else {}))
        )
        found += [point["step"] for point in page["metrics"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert found == list(range(15))


async def test_a_fork_stays_whole_when_its_source_is_put_aside(client: Client) -> None:
    source = await new_run(client)
    await log(client, source, line("m", range(5)))
    run_id = (await fork(client, source, step=3))["run_id"]
    await client.post("runs/delete", {"run_id": source})
    assert [step for _, _, step in await points_of(client, run_id, "m")] == [0, 1, 2, 3]


async def test_a_logged_models_metrics_stay_those_of_the_run_that_logged_them(
    client: Client,
) -> None:
    source = await new_run(client)
    model = await new_model(client)
    await log(client, source, line("m", range(3)), model_id=model)
    run_id = (await fork(client, source, step=1))["run_id"]
    await log(client, run_id, line("m", [2], 100), model_id=model)
    metrics = (await client.get(f"logged-models/{model}"))["model"]["data"]["metrics"]
    assert sorted((m["run_id"], m["value"]) for m in metrics) == sorted(
        [(source, 0), (source, 1), (source, 2), (run_id, 102)]
    )


async def test_what_cannot_be_forked_is_refused_in_words(client: Client) -> None:
    source = await new_run(client)
    await log(client, source, line("m", range(3)))
    late = await ask_fork(client, source, step=3)
    assert late.status == 400
    assert (
        json.loads(late.body)["detail"]
        == "Step 3 is after the last one that was logged, which is 2."
    )
    assert (await ask_fork(client, "0" * 32)).status == 404
    assert (await ask_fork(client.of(new_tenant()), source)).status == 404
    assert (await ask_fork(client, source, steps=1)).status == 400
    assert (await ask_fork(client, source, step=2**63)).status == 400
    await client.post("runs/delete", {"run_id": source})
    assert (await ask_fork(client, source)).status == 400
    assert len((await client.post("runs/search", {"experiment_ids": ["0"]})).get("runs", [])) == 0


@dataclass
class Model:
    """What a run should show: its own points, and what it took over of another's."""

    own: list[tuple[str, float, int, int]] = field(default_factory=list)
    source: "Model | None" = None
    step: int = 0
    latest: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    def points(self) -> set[tuple[str, float, int, int]]:
        """All points, by key, value, time and step."""
        before = self.source.points() if self.source else set()
        return {point for point in before if point[3] <= self.step} | set(self.own)

    def add(self, points: Points) -> None:
        """Log points."""
        self.own += points
        for key, value, time, step in points:
            self.latest[key] = max(self.latest.get(key, (step, time, value)), (step, time, value))

    def fork(self, step: int) -> "Model":
        """A run that continues this one."""
        made = Model(source=self, step=step)
        for key, value, time, at in self.points():
            if at <= step:
                made.latest[key] = max(made.latest.get(key, (at, time, value)), (at, time, value))
        return made

    def last(self) -> int:
        """The last step, 0 for none."""
        return max((step for step, _, _ in self.latest.values()), default=0)


POINT = st.tuples(
    st.sampled_from(["a", "b"]),
    st.integers(-3, 3).map(float),
    st.integers(0, 4),
    st.integers(-2, 6),
)
LOG = st.tuples(st.just("log"), st.integers(0, 9), st.lists(POINT, min_size=1, max_size=6))
FORK = st.tuples(st.just("fork"), st.integers(0, 9), st.none() | st.integers(-2, 6))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plan=st.lists(LOG | FORK, min_size=2, max_size=12))
async def test_any_line_of_forks_shows_what_its_model_says(
    tracking: Client, plan: list[tuple[str, int, Any]]
) -> None:
    client = tracking.of(new_tenant())
    runs = [(await new_run(client), Model())]
    for what, which, given_ in plan:
        run_id, model = runs[which % len(runs)]
        if what == "log":
            # Below the step of a fork a run logs nothing more once it was forked.
            forked = [m.step for _, m in runs if m.source is model]
            points = [point for point in given_ if not forked or point[3] > max(forked)]
            if points:
                await log(client, run_id, points)
                model.add(points)
            continue
        step = given_ if given_ is None else min(given_, model.last())
        made = await fork(client, run_id, **({} if step is None else {"step": step}))
        at = model.last() if step is None else step
        assert made["forked_at_step"] == at
        runs.append((made["run_id"], model.fork(at)))
    for run_id, model in runs:
        shown = {(key, *point) for key in "ab" for point in await points_of(client, run_id, key)}
        assert shown == model.points()
        metrics = (await data_of(client, run_id)).get("metrics", [])
        assert {m["key"]: (m["step"], m["timestamp"], m["value"]) for m in metrics} == model.latest


async def test_a_line_of_forks_has_an_end(client: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr("services.tracking.commands.forks.MOST_BEFORE", 3)
    run_id = await new_run(client)
    for _ in range(3):
        run_id = (await fork(client, run_id))["run_id"]
    assert (await ask_fork(client, run_id)).status == 400
