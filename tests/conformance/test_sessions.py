"""Random sessions, the same with both servers, compared after each step.

`CONFORMANCE_SESSIONS=500` asks for more of them, other ones each time; the seed of one that fails
is printed.
"""

import asyncio
import os
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.conformance.cases import Request, under
from tests.conformance.running import Outcome, Talk, talk
from tests.conformance.servers import Pair
from tests.conformance.tables.making import UNKNOWN_EXPERIMENT, UNKNOWN_RUN, get, post
from tests.conformance.wanted import judged

_ASKED: Final = int(os.environ.get("CONFORMANCE_SESSIONS", "0"))
_SETTINGS: Final = settings(
    max_examples=_ASKED or 8,
    stateful_step_count=25,
    deadline=None,
    database=None,
    derandomize=not _ASKED,
    print_blob=True,
    # A smaller session that fails as well is looked for only where time is given.
    phases=(Phase.generate, Phase.shrink) if _ASKED else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
_STEP_SECONDS: Final = 60
KEYS: Final = st.sampled_from(["a", "b", "c/d", "e f"])
VALUES: Final = st.sampled_from(["", "1", "blue", "ä", "it's", "NaN"])
NUMBERS: Final = st.sampled_from([0, 1, -1.5, 0.1, 1e300, "NaN", "Infinity", "-Infinity"])
SMALL: Final = st.integers(0, 3)
VIEWS: Final = st.sampled_from(["ACTIVE_ONLY", "DELETED_ONLY", "ALL"])
POINTS: Final = st.fixed_dictionaries(
    {"key": KEYS, "value": NUMBERS, "timestamp": SMALL, "step": SMALL}
)
PAIRS: Final = st.fixed_dictionaries({"key": KEYS, "value": VALUES})
ONE_OF_EACH: Final = st.lists(PAIRS, max_size=3, unique_by=lambda pair: pair["key"])
RUN_FILTERS: Final = st.sampled_from(
    [
        "",
        "metrics.a > 0",
        "metrics.a <= 0.1 and params.b = '1'",
        "params.a != 'blue'",
        "tags.a LIKE 'b%'",
        "attributes.status = 'FINISHED'",
        "attributes.run_name ILIKE 'N%' and metrics.b != 1",
        "attributes.run_name IN ('n2', 'n3')",
    ]
)
RUN_ORDERS: Final = st.sampled_from(
    [[], ["metrics.a"], ["metrics.a DESC"], ["params.b ASC"], ["tags.a", "attributes.status DESC"]]
)
MODEL_FILTERS: Final = st.sampled_from(["", "name = 'm1'", "params.a = '1'", "tags.a != '1'"])


class Sessions(RuleBasedStateMachine):
    """A session: what it made is known by names, which stand for each server's own ids."""

    pair: Pair
    loop: asyncio.AbstractEventLoop
    experiments: Bundle[str] = Bundle("experiments")
    runs: Bundle[str] = Bundle("runs")
    models: Bundle[str] = Bundle("models")

    def __init__(self) -> None:
        super().__init__()
        self.talk: Talk = talk(self.pair)
        self.made = 0

    def ask(self, request: Request) -> None:
        """Ask both servers; what differs must be wanted."""
        asked = asyncio.run_coroutine_threadsafe(self.talk.ask(under(request, "/api")), self.loop)
        lines, (theirs, ours) = asked.result(_STEP_SECONDS)
        name = f"{request.method} {request.path}"
        outcome = Outcome(name, "a session", tuple(lines), theirs, ours)
        assert not lines or judged(outcome) is not None, (request, lines)

    def name(self, kind: str) -> str:
        """A name for what is made next."""
        self.made += 1
        return f"{kind}{self.made}"

    @initialize(target=experiments)
    def begin(self) -> str:
        return self.new_experiment([])

    @rule(target=experiments, tags=ONE_OF_EACH)
    def create_experiment(self, tags: list[Any]) -> str:
        return self.new_experiment(tags)

    def new_experiment(self, tags: list[Any]) -> str:
        """An experiment; the name that it is known by."""
        kept = self.name("experiment")
        body = {"name": f"$mark {kept}", "tags": tags}
        self.ask(post("experiments/create", body, **{kept: "experiment_id"}))
        return kept

    @rule(experiment=experiments, name=st.sampled_from(["one", "two"]))
    def rename_experiment(self, experiment: str, name: str) -> None:
        body = {"experiment_id": f"${experiment}", "new_name": f"$mark {name}"}
        self.ask(post("experiments/update", body))

    @rule(experiment=experiments, what=st.sampled_from(["delete", "restore"]))
    def move_experiment(self, experiment: str, what: str) -> None:
        self.ask(post(f"experiments/{what}", {"experiment_id": f"${experiment}"}))
        self.ask(get("experiments/get", f"experiment_id=${experiment}"))

    @rule(experiment=experiments, tag=PAIRS, what=st.sampled_from(["set", "delete"]))
    def tag_experiment(self, experiment: str, tag: dict[str, str], what: str) -> None:
        body = {"experiment_id": f"${experiment}", **tag}
        self.ask(post(f"experiments/{what}-experiment-tag", body))

    @rule(view=VIEWS, order=st.sampled_from([[], ["name"], ["name DESC"]]))
    def search_experiments(self, view: str, order: list[str]) -> None:
        body = {"filter": "name LIKE '$mark%'", "view_type": view, "order_by": order}
        self.ask(post("experiments/search", {**body, "max_results": 3}))

    @rule(target=runs, experiment=experiments, tags=ONE_OF_EACH)
    def create_run(self, experiment: str, tags: list[Any]) -> str:
        kept = self.name("run")
        # Runs that start together come in an order of their ids, which are each server's own.
        named = {"run_name": f"n{self.made}", "start_time": 1000 + self.made}
        body = {"experiment_id": f"${experiment}", "tags": tags, **named}
        self.talk.know(kept, UNKNOWN_RUN)
        self.ask(post("runs/create", body, **{kept: "run.info.run_id"}))
        return kept

    @rule(run=runs, status=st.sampled_from(["RUNNING", "FINISHED", "FAILED"]), end=SMALL)
    def update_run(self, run: str, status: str, end: int) -> None:
        self.ask(post("runs/update", {"run_id": f"${run}", "status": status, "end_time": end}))

    @rule(run=runs, what=st.sampled_from(["delete", "restore"]))
    def move_run(self, run: str, what: str) -> None:
        self.ask(post(f"runs/{what}", {"run_id": f"${run}"}))

    @rule(run=runs, point=POINTS)
    def log_metric(self, run: str, point: dict[str, Any]) -> None:
        self.ask(post("runs/log-metric", {"run_id": f"${run}", **point}))
        self.ask(get("metrics/get-history", f"run_id=${run}&metric_key={point['key']}"))

    @rule(run=runs, param=PAIRS)
    def log_param(self, run: str, param: dict[str, str]) -> None:
        self.ask(post("runs/log-parameter", {"run_id": f"${run}", **param}))

    @rule(run=runs, tag=PAIRS, what=st.sampled_from(["set", "delete"]))
    def tag_run(self, run: str, tag: dict[str, str], what: str) -> None:
        self.ask(post(f"runs/{what}-tag", {"run_id": f"${run}", **tag}))

    @rule(run=runs, points=st.lists(POINTS, max_size=6), params=ONE_OF_EACH, tags=ONE_OF_EACH)
    def log_batch(self, run: str, points: list[Any], params: list[Any], tags: list[Any]) -> None:
        body = {"run_id": f"${run}", "metrics": points, "params": params, "tags": tags}
        self.ask(post("runs/log-batch", body))
        self.ask(get("runs/get", f"run_id=${run}"))

    @rule(experiment=experiments, given=RUN_FILTERS, order=RUN_ORDERS, view=VIEWS)
    def search_runs(self, experiment: str, given: str, order: list[str], view: str) -> None:
        ids = [f"${experiment}", UNKNOWN_EXPERIMENT]
        body = {"experiment_ids": ids, "filter": given, "order_by": order, "run_view_type": view}
        self.ask(post("runs/search", {**body, "max_results": 5}))

    @rule(target=models, experiment=experiments, params=ONE_OF_EACH, name=SMALL)
    def create_model(self, experiment: str, params: list[Any], name: int) -> str:
        kept = self.name("model")
        body = {"experiment_id": f"${experiment}", "name": f"m{name}", "params": params}
        self.talk.know(kept, f"m-{UNKNOWN_RUN}")
        self.ask(post("logged-models", body, **{kept: "model.info.model_id"}))
        return kept

    @rule(
        model=models, status=st.sampled_from(["LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"])
    )
    def finalize_model(self, model: str, status: str) -> None:
        body = {"model_id": f"${model}", "status": status}
        self.ask(Request("PATCH", f"2.0/mlflow/logged-models/${model}", body=body))

    @rule(model=models, tags=ONE_OF_EACH)
    def tag_model(self, model: str, tags: list[Any]) -> None:
        path = f"2.0/mlflow/logged-models/${model}"
        self.ask(Request("PATCH", f"{path}/tags", body={"tags": tags}))
        self.ask(Request("GET", path))

    @rule(model=models)
    def delete_model(self, model: str) -> None:
        self.ask(Request("DELETE", f"2.0/mlflow/logged-models/${model}"))

    @rule(experiment=experiments, given=MODEL_FILTERS)
    def search_models(self, experiment: str, given: str) -> None:
        self.ask(
            post("logged-models/search", {"experiment_ids": [f"${experiment}"], "filter": given})
        )


async def test_random_sessions_are_answered_alike(pair: Pair) -> None:
    class Here(Sessions):
        """Sessions with the servers of this run."""

    Here.pair, Here.loop = pair, asyncio.get_running_loop()
    await asyncio.to_thread(run_state_machine_as_test, Here, settings=_SETTINGS)
