"""XGBoost and LightGBM under autolog, by their own loops and by the interface of scikit-learn."""

import sys

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import xgboost

mlflow.set_experiment(sys.argv[1])
chance = np.random.default_rng(3)
features = pd.DataFrame(chance.normal(size=(120, 3)), columns=["a", "b", "c"])
target = (features["a"] + features["b"] > 0).astype(int)


def train_xgboost() -> None:
    """Both ways of XGBoost."""
    mlflow.xgboost.autolog(model_format="json")
    data = xgboost.DMatrix(features, label=target)
    settings = {"objective": "binary:logistic", "max_depth": 2, "seed": 1, "nthread": 1}
    with mlflow.start_run(run_name="xgboost"):
        xgboost.train(settings, data, 5, evals=[(data, "train")], verbose_eval=False)
    mlflow.xgboost.autolog(log_models=False)
    with mlflow.start_run(run_name="xgboost classifier"):
        xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(features, target)


def train_lightgbm() -> None:
    """Both ways of LightGBM."""
    mlflow.lightgbm.autolog()
    data = lightgbm.Dataset(features, label=target)
    settings = {"objective": "binary", "num_leaves": 4, "seed": 1, "num_threads": 1, "verbose": -1}
    with mlflow.start_run(run_name="lightgbm"):
        lightgbm.train(settings, data, 5, valid_sets=[data], valid_names=["train"])
    mlflow.lightgbm.autolog(log_models=False)
    with mlflow.start_run(run_name="lightgbm classifier"):
        sized = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=4, n_jobs=1, verbose=-1)
        sized.fit(features, target)


train_xgboost()
train_lightgbm()

client = mlflow.MlflowClient()
for run in mlflow.search_runs(order_by=["attributes.run_name ASC"], output_format="list"):
    print("run", run.info.run_name, run.info.status)
    print("params", sorted(run.data.params.items()))
    print("metrics", sorted((key, round(value, 6)) for key, value in run.data.metrics.items()))
    for key in sorted(run.data.metrics):
        history = client.get_metric_history(run.info.run_id, key)
        print("history", key, [(point.step, round(point.value, 6)) for point in history])
    print("tags", sorted(key for key in run.data.tags if not key.startswith("mlflow.source")))
    print("files", [(file.path, file.is_dir) for file in client.list_artifacts(run.info.run_id)])
    for output in run.outputs.model_outputs:
        logged = mlflow.get_logged_model(output.model_id)
        print("model", logged.name, logged.status, sorted(logged.params.items()))
        print("scores", sorted((m.key, round(m.value, 6)) for m in logged.metrics or ()))
        predicted = mlflow.pyfunc.load_model(logged.model_uri).predict(features.head(4))
        print("predicts", np.round(predicted, 5).tolist())
