"""Whatever is done to runs, in either of two processes and while others read: nobody sees it late."""

import asyncio
import json
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.replicas import Replicas, counts, got, replicas, searched, since, stored
from tests.serving import Client

_SETTINGS: Final = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
_RUNS: Final = 4
CLIENTS: Final = st.integers(0, 1)
RUNS: Final = st.integers(0, _RUNS - 1)
KEYS: Final = st.sampled_from(["a", "b"])
VALUES: Final = st.sampled_from(["1", "2", "3"])
MODEL: Final = {"artifact_path": "m", "flavors": {}, "utc_time_created": "", "run_id": ""}
DATASET: Final = {"name": "d", "digest": "1", "source_type": "x", "source": "y"}
Fields = Mapping[str, st.SearchStrategy[Any]]
# Commands on a run, by their path: what they are sent besides its id.
COMMANDS: Final[Mapping[str, Fields]] = {
    "log-metric": {"key": KEYS, "value": st.integers(0, 9), "timestamp": st.just(1)},
    "log-parameter": {"key": KEYS, "value": VALUES},
    "set-tag": {"key": st.sampled_from(["a", "b", "mlflow.runName"]), "value": VALUES},
    "delete-tag": {"key": KEYS},
    "log-batch": {
        "metrics": st.just([{"key": "c", "value": 1, "timestamp": 1, "step": 1}]),
        "params": st.lists(st.fixed_dictionaries({"key": KEYS, "value": VALUES}), max_size=1),
    },
    "log-inputs": {
        "models": st.just([{"model_id": "m-1"}]),
        "datasets": st.just([{"dataset": DATASET}]),
    },
    "outputs": {"models": st.just([{"model_id": "m-2", "step": 1}])},
    "log-model": {"model_json": st.just(json.dumps(MODEL))},
    "update": {"run_name": VALUES, "status": st.sampled_from(["FINISHED", "RUNNING"])},
    "delete": {},
    "restore": {},
}
COMMAND: Final = st.sampled_from(list(COMMANDS)).flatmap(
    lambda path: st.tuples(st.just(path), st.fixed_dictionaries(COMMANDS[path]))
)


class Reads(RuleBasedStateMachine):
    """Four runs of an experiment, written through either process while both are read."""

    given: Replicas
    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Have the loop of the services do it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    @initialize()
    def make(self) -> None:
        """A tenant with an experiment and its runs."""
        self.both = self.given.of_new_tenant()
        self.experiment = self.do(new_experiment(self.both.one))
        made = [new_run(self.both.one, self.experiment) for _ in range(_RUNS)]
        self.runs: list[str] = [self.do(run) for run in made]

    @rule(client=CLIENTS, run=RUNS, command=COMMAND)
    def log(self, client: int, run: int, command: tuple[str, Mapping[str, Any]]) -> None:
        """Any command on one of the runs, while they are read."""
        path, fields = command
        body = {"run_id": self.runs[run], **fields}
        self.do(self.amid_reads(self.both.each[client], f"runs/{path}", body))

    @rule(client=CLIENTS, step=st.sampled_from(["delete", "restore"]))
    def move_all(self, client: int, step: str) -> None:
        """The experiment is put aside or brought back, and its runs with it."""
        body = {"experiment_id": self.experiment}
        self.do(self.amid_reads(self.both.each[client], f"experiments/{step}", body))

    @rule(client=CLIENTS, run=RUNS)
    def fork(self, client: int, run: int) -> None:
        """One of the runs is forked, and the fork takes its place."""
        path = f"/api/maestro/v1/runs/{self.runs[run]}/fork"
        reply = self.do(self.both.each[client].ask("POST", path, {}))
        if reply.status in {200, 201}:
            self.runs[run] = json.loads(reply.body)["run_id"]

    async def amid_reads(self, client: Client, path: str, body: Any) -> None:
        """One command, and reads of all runs in both processes at the same time."""
        reads = [got(reader, run) for run in self.runs for reader in self.both.each]
        write = client.ask("POST", f"/api/2.0/mlflow/{path}", body)
        reply, *_ = await asyncio.gather(write, *reads)
        assert reply.status < 500, reply.body

    @invariant()
    def all_is_seen(self) -> None:
        """Both processes show every run as it stands, alone and on a page."""
        self.do(self.compare())

    async def compare(self) -> None:
        for client in self.both.each:
            listed = await searched(client, self.experiment)
            for run in self.runs:
                there = await stored(client, run)
                assert await got(client, run) == there
                models = there["inputs"].pop("model_inputs", None)
                assert listed[run] == there, models


async def test_nothing_is_seen_late(platform_environment: dict[str, str]) -> None:
    async with replicas(platform_environment) as both:
        before = counts()
        machine = type("Machine", (Reads,), {"given": both, "loop": asyncio.get_running_loop()})
        await asyncio.to_thread(run_state_machine_as_test, machine, settings=_SETTINGS)
        found = since(before)
        assert found["memory"] > 200, found
        assert found["redis"] > 20, found
