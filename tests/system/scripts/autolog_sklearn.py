"""A grid search and a pipeline of scikit-learn under autolog."""

import sys

import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

mlflow.set_experiment(sys.argv[1])
# Only one model is kept, as finding out what each needs takes seconds.
mlflow.sklearn.autolog(log_models=False, max_tuning_runs=3)
features, target = load_iris(return_X_y=True, as_frame=True)

with mlflow.start_run(run_name="grid"):
    depths = {"max_depth": [1, 2, 3]}
    GridSearchCV(DecisionTreeClassifier(random_state=0), depths, cv=3).fit(features, target)

mlflow.sklearn.autolog(log_models=True)
with mlflow.start_run(run_name="pipeline"):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    model.fit(features, target)
    model.score(features, target)

client = mlflow.MlflowClient()
order = ["params.max_depth ASC", "attributes.run_name ASC"]
for run in mlflow.search_runs(order_by=order, output_format="list"):
    print("run", run.info.run_name if "mlflow.parentRunId" not in run.data.tags else "of the grid")
    print("params", sorted(run.data.params.items()))
    kept = {k: round(v, 6) for k, v in run.data.metrics.items() if not k.endswith("_time")}
    print("metrics", sorted(kept.items()), len(run.data.metrics))
    print("tags", sorted(key for key in run.data.tags if not key.startswith("mlflow.source")))
    print("data", [(i.dataset.digest, i.dataset.source_type) for i in run.inputs.dataset_inputs])
    print("files", [(file.path, file.is_dir) for file in client.list_artifacts(run.info.run_id)])
    for output in run.outputs.model_outputs:
        logged = mlflow.get_logged_model(output.model_id)
        print("model", logged.name, logged.status, sorted(logged.params.items()))
        print("scores", sorted((m.key, round(m.value, 6)) for m in logged.metrics or ()))
        loaded = mlflow.sklearn.load_model(logged.model_uri)
        print("predicts", loaded.predict(features.iloc[::30]).tolist())
        print("signature", mlflow.models.get_model_info(logged.model_uri).signature)
