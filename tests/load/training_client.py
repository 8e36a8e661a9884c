"""A training as users write it, by the stock client: a loss for each step, and how long that took."""

import json
import os
import sys
import time

import mlflow


def train(calls: int, *, synchronous: bool) -> float:
    """Log so many points into a new run; the seconds until all of them are taken."""
    began = time.perf_counter()
    with mlflow.start_run(experiment_id=os.environ["TRAINING_EXPERIMENT"]):
        for step in range(calls):
            loss = 1 / (1 + step)
            if synchronous:
                mlflow.log_metric("loss", loss, step=step)
            else:
                mlflow.log_metric("loss", loss, step=step, synchronous=False)
        if not synchronous:
            mlflow.flush_async_logging()
    return time.perf_counter() - began


if __name__ == "__main__":
    # What a client does once, as to connect, is no part of a call's time.
    train(5, synchronous=True)
    taken = train(int(sys.argv[1]), synchronous=sys.argv[2] == "each")
    print(json.dumps({"seconds": taken}))
