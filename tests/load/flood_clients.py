"""Eight processes with an unmodified mlflow client log as much as they are told, and count.

Run by path: `flood_clients.py SECONDS RATE`, RATE being writes a second of all together. Prints
JSON: what each tried to log, what is stored, and what went wrong.
"""

import json
import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import mlflow
from mlflow import MlflowClient

CLIENTS = 8
THREADS = 5
PATIENCE_SECONDS = 300


def log(run_id: str, thread: int, seconds: float, pace: float) -> tuple[int, float, list[str]]:
    """One thread's points, each at its time or, when that is past, at once."""
    client = MlflowClient()
    began = time.monotonic()
    logged, slowest, problems = 0, 0.0, []
    while (now := time.monotonic()) < began + seconds:
        due = began + logged * pace
        if due > now:
            time.sleep(due - now)
        before = time.monotonic()
        try:
            client.log_metric(run_id, f"m{thread}", float(logged), step=logged)
        except Exception as problem:  # noqa: BLE001 - counted: there must be none
            problems.append(repr(problem)[:300])
        slowest = max(slowest, time.monotonic() - before)
        logged += 1
    return logged, slowest, problems


def client(number: int, seconds: float, rate: float, together: Barrier, told: "Queue[str]") -> None:
    """One training: a run of its own, logged to by several threads, then read back."""
    run_id = mlflow.start_run(run_name=f"flood {number}").info.run_id
    together.wait(PATIENCE_SECONDS)
    pace = CLIENTS * THREADS / rate
    with ThreadPoolExecutor(THREADS) as threads:
        asked = [threads.submit(log, run_id, n, seconds, pace) for n in range(THREADS)]
        found = [one.result() for one in asked]
    together.wait(PATIENCE_SECONDS)
    mlflow.end_run()
    stored = 0
    for thread, (logged, _, _) in enumerate(found):
        history = MlflowClient().get_metric_history(run_id, f"m{thread}")
        steps = {point.step for point in history if point.value == point.step}
        stored += len(steps & set(range(logged)))
    said = {
        "logged": sum(logged for logged, _, _ in found),
        "stored": stored,
        "slowest": max(slowest for _, slowest, _ in found),
        "problems": [problem for _, _, problems in found for problem in problems],
    }
    told.put(json.dumps(said))


def main(seconds: float, rate: float) -> None:
    """Start all, and print what each says."""
    mlflow.set_experiment("flood")
    # Fresh processes, for which mlflow is loaded once.
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["mlflow"])
    together, told = fresh.Barrier(CLIENTS), fresh.Queue()
    clients = [
        fresh.Process(target=client, args=(number, seconds, rate, together, told))
        for number in range(CLIENTS)
    ]
    for one in clients:
        one.start()
    found = [json.loads(told.get(timeout=seconds + PATIENCE_SECONDS)) for _ in clients]
    for one in clients:
        one.join(PATIENCE_SECONDS)
    print(json.dumps(found))


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
