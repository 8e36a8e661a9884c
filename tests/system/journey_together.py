"""Eight processes log to one run at once with an unmodified mlflow client, and one reads it back.

Run by path: `journey_together.py NAME POINTS`.
"""

import multiprocessing
import sys
import time
from multiprocessing.synchronize import Barrier

import mlflow
from mlflow import MlflowClient

PROCESSES = 8
PATIENCE_SECONDS = 120


def value_of(step: int) -> float:
    """Values whose sum is exact, whatever the order."""
    return float(step % 97)


def log(run_id: str, number: int, points: int, together: Barrier) -> None:
    """One process's share: every eighth step."""
    client = MlflowClient()
    together.wait(PATIENCE_SECONDS)
    with mlflow.start_run(run_id=run_id):
        for step in range(number, points * PROCESSES, PROCESSES):
            mlflow.log_metric("shared", value_of(step), step=step)
            if step % 5 == 0:
                client.log_metric(run_id, f"own {number}", value_of(step), step=step)


def main(name: str, points: int) -> None:
    """Log, wait, and compare with what was sent."""
    mlflow.set_experiment(f"{name} experiment")
    with mlflow.start_run() as run:
        pass
    run_id = run.info.run_id
    # Eight fresh processes, for which mlflow is loaded once.
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["mlflow"])
    together = fresh.Barrier(PROCESSES)
    writers = [
        fresh.Process(target=log, args=(run_id, number, points, together))
        for number in range(PROCESSES)
    ]
    began = time.monotonic()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(PATIENCE_SECONDS * 2)
        assert writer.exitcode == 0, writer
    history = mlflow.MlflowClient().get_metric_history(run_id, "shared")
    steps = range(points * PROCESSES)
    assert sorted(point.step for point in history) == list(steps)
    assert all(point.value == value_of(point.step) for point in history)
    assert sum(point.value for point in history) == sum(value_of(step) for step in steps)
    latest = mlflow.get_run(run_id).data.metrics
    assert latest["shared"] == value_of(steps[-1]), latest
    for number in range(PROCESSES):
        own = mlflow.MlflowClient().get_metric_history(run_id, f"own {number}")
        assert {point.step for point in own} == {s for s in steps if s % 8 == number and s % 5 == 0}
    print(f"{len(history)} points in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
