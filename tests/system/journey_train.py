"""What a data scientist does, with an unmodified mlflow client that knows an address and a token.

Run by path in a process of its own: `journey_train.py NAME MEGABYTES`. It stops at the first
thing that is not as it should be, and ends with a line of JSON that says what it made.
"""

import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

ALPHA = 0.5


def main(name: str, megabytes: int) -> None:
    """Train, log, register, alias, load, predict, search, delete and restore."""
    mlflow.set_experiment(f"{name} experiment")
    run_id, model, expected = train()
    check_logged(run_id)
    with tempfile.TemporaryDirectory() as folder:
        check_artifact(run_id, Path(folder), megabytes)
    first = register_while_logging(name, model)
    second = mlflow.register_model(f"runs:/{run_id}/model", name)
    assert (int(first), int(second.version)) == (1, 2)
    check_registered(name, run_id, expected)
    check_search(run_id)
    check_deletion(run_id)
    print(json.dumps({"run_id": run_id, "model": name, "versions": [1, 2]}))


def train() -> tuple[str, Ridge, np.ndarray]:
    """Fit a model under autolog; gives the run, the model and what it predicts."""
    features, target = load_diabetes(return_X_y=True)
    mlflow.sklearn.autolog()
    with mlflow.start_run(run_name="training") as run:
        model = Ridge(alpha=ALPHA).fit(features, target)
        mlflow.set_tag("purpose", "journey")
        for step in range(10):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.sklearn.autolog(disable=True)
    return run.info.run_id, model, model.predict(features)


def check_logged(run_id: str) -> None:
    """The run has what autolog and the script logged."""
    run = mlflow.get_run(run_id)
    assert run.info.status == "FINISHED", run.info
    assert run.info.run_name == "training", run.info
    assert run.data.params["alpha"] == str(ALPHA), run.data.params
    assert 0 < run.data.metrics["training_r2_score"] < 1, run.data.metrics
    assert run.data.metrics["loss"] == 0.1, run.data.metrics
    assert run.data.tags["purpose"] == "journey", run.data.tags
    assert run.inputs is not None
    assert run.inputs.dataset_inputs[0].dataset.name, run.inputs
    model_of(run_id)
    history = MlflowClient().get_metric_history(run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(s, 1 / (s + 1)) for s in range(10)], history


def check_artifact(run_id: str, folder: Path, megabytes: int) -> None:
    """A large file comes back as it went, and is listed with its size."""
    file = folder / "large.bin"
    digest = hashlib.sha256()
    chance = np.random.default_rng(7)
    with file.open("wb") as out:
        for _ in range(megabytes):
            block = chance.bytes(2**20)
            digest.update(block)
            out.write(block)
    client = MlflowClient()
    client.log_artifact(run_id, str(file), "data")
    listed = client.list_artifacts(run_id, "data")
    assert [(f.path, f.file_size) for f in listed] == [("data/large.bin", megabytes * 2**20)]
    back = Path(client.download_artifacts(run_id, "data/large.bin", str(folder / "back")))
    with back.open("rb") as read:
        assert hashlib.file_digest(read, "sha256").hexdigest() == digest.hexdigest()


def register_while_logging(name: str, model: Ridge) -> str:
    """Log a model and register it in the same call; gives the version."""
    features, _ = load_diabetes(return_X_y=True)
    with mlflow.start_run(run_name="logging"):
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=name,
            signature=infer_signature(features[:5], model.predict(features[:5])),
            input_example=features[:2],
            # Autolog had to search for what a model needs; once is enough.
            pip_requirements=["scikit-learn"],
        )
    assert info.registered_model_version is not None, info
    return str(info.registered_model_version)


def check_registered(name: str, run_id: str, expected: np.ndarray) -> None:
    """The registered model is found by alias, version and stage, and predicts as it did."""
    client = MlflowClient()
    features, _ = load_diabetes(return_X_y=True)
    client.set_registered_model_alias(name, "champion", "2")
    assert client.get_model_version_by_alias(name, "champion").run_id == run_id
    for uri in (f"models:/{name}@champion", f"models:/{name}/1"):
        loaded = mlflow.pyfunc.load_model(uri)
        assert np.array_equal(loaded.predict(features), expected), uri
    client.set_model_version_tag(name, "2", "checked", "yes")
    client.transition_model_version_stage(name, "1", "Production")
    client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    stages = {v.version: v.current_stage for v in client.search_model_versions(f"name='{name}'")}
    assert {int(k): v for k, v in stages.items()} == {1: "Archived", 2: "Production"}, stages
    version = client.get_model_version(name, "2")
    assert version.tags == {"checked": "yes"}, version
    assert list(client.get_registered_model(name).aliases) == ["champion"]
    client.delete_registered_model_alias(name, "champion")
    assert client.get_registered_model(name).aliases == {}
    check_model_knows_its_versions(name, run_id)


def check_model_knows_its_versions(name: str, run_id: str) -> None:
    """The logged model learns from the registry, in a moment, which versions were made of it."""
    model_id = model_of(run_id)
    deadline = time.monotonic() + 30
    while True:
        told = mlflow.get_logged_model(model_id).tags.get("mlflow.modelVersions", "[]")
        if {"name": name, "version": 2} in [
            {"name": v["name"], "version": int(v["version"])} for v in json.loads(told)
        ]:
            return
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def model_of(run_id: str) -> str:
    """The one logged model that a run made."""
    outputs = mlflow.get_run(run_id).outputs
    assert outputs is not None
    (model,) = outputs.model_outputs
    return str(model.model_id)


def check_search(run_id: str) -> None:
    """Runs are found by what was logged into them."""
    found = mlflow.search_runs(
        filter_string=f"metrics.training_r2_score > 0.1 and params.alpha = '{ALPHA}'",
        order_by=["metrics.loss DESC"],
    )
    assert list(found.run_id) == [run_id], found
    assert mlflow.search_runs(filter_string="tags.purpose = 'nothing'").empty
    (model,) = mlflow.search_logged_models(
        filter_string="params.alpha = '0.5'", output_format="list"
    )
    assert model.source_run_id == run_id, model


def check_deletion(run_id: str) -> None:
    """A deleted run is out of sight and closed, and comes back whole."""
    client = MlflowClient()
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert run_id not in list(mlflow.search_runs().run_id)
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        client.log_metric(run_id, "late", 1.0)
    client.restore_run(run_id)
    assert run_id in list(mlflow.search_runs().run_id)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
