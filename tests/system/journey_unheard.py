"""Registering a model the moment it is logged, while services do not hear of each other.

Run by path: `journey_unheard.py register NAME`, and when they hear again `… heard NAME`.
"""

import json
import sys
import time

import mlflow
import numpy as np
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

PATIENCE_SECONDS = 60


def register(name: str) -> None:
    """Log and register at once, by a run and by a model, then load by alias and predict."""
    features, target = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(features, target)
    mlflow.set_experiment(f"{name} experiment")
    with mlflow.start_run() as run:
        # Named here, what the model needs is not searched for, which takes long.
        info = mlflow.sklearn.log_model(
            model, name="model", registered_model_name=name, pip_requirements=["scikit-learn"]
        )
    assert int(info.registered_model_version) == 1, info
    again = mlflow.register_model(f"runs:/{run.info.run_id}/model", name)
    assert int(again.version) == 2, again
    MlflowClient().set_registered_model_alias(name, "champion", again.version)
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    assert np.array_equal(loaded.predict(features), model.predict(features))


def heard(name: str) -> None:
    """The logged model learns of its versions after all."""
    mlflow.set_experiment(f"{name} experiment")
    (model,) = mlflow.search_logged_models(output_format="list")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        told = mlflow.get_logged_model(model.model_id).tags.get("mlflow.modelVersions", "[]")
        if {(found["name"], int(found["version"])) for found in json.loads(told)} == {
            (name, 1),
            (name, 2),
        }:
            return
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


if __name__ == "__main__":
    {"register": register, "heard": heard}[sys.argv[1]](sys.argv[2])
