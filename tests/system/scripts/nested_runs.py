"""A search over hyperparameters: a parent with nested runs, found again by their parent's tag."""

import sys

import mlflow

mlflow.set_experiment(sys.argv[1])

with mlflow.start_run(run_name="sweep", tags={"kind": "sweep"}) as parent:
    for depth in (2, 4, 8):
        with mlflow.start_run(run_name=f"depth {depth}", nested=True):
            mlflow.log_param("depth", depth)
            for step in range(4):
                mlflow.log_metric("loss", 1 / (depth + step), step=step)
            if depth == 8:
                with mlflow.start_run(run_name="deeper", nested=True):
                    mlflow.log_metrics({"loss": 0.01, "gap": -0.5})
    try:
        with mlflow.start_run(run_name="fails", nested=True):
            mlflow.set_tag("doomed", "yes")
            raise ValueError("on purpose")
    except ValueError as problem:
        print("failed:", problem)
    mlflow.log_metric("best", 1 / 11)

children = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
COLUMNS = ["tags.mlflow.runName", "status", "params.depth", "metrics.loss"]
for words, order in (
    (children, ["metrics.loss ASC"]),
    (children, ["attributes.run_name DESC"]),
    (f"{children} and metrics.loss < 0.15", ["metrics.loss DESC"]),
    (f"{children} and status = 'FAILED'", None),
    ("tags.kind = 'sweep'", None),
    ("tags.doomed LIKE 'y%' and params.depth IS NULL", None),
    (f"{children} and tags.`mlflow.runName` ILIKE 'DEPTH%'", ["params.depth"]),
):
    found = mlflow.search_runs(filter_string=words, order_by=order)
    print(words, order)
    print(found.reindex(columns=COLUMNS).to_csv(index=False))

grandchild = mlflow.search_runs(filter_string="tags.mlflow.runName = 'deeper'").iloc[0]
ancestor = mlflow.get_parent_run(grandchild.run_id)
while ancestor is not None:
    print("above it:", ancestor.info.run_name, ancestor.data.tags.get("mlflow.parentRunId"))
    ancestor = mlflow.get_parent_run(ancestor.info.run_id)
last = mlflow.last_active_run()
print(last.info.run_name, last.info.status, last.data.metrics)
mlflow.delete_run(parent.info.run_id)
print("left:", sorted(mlflow.search_runs()["tags.mlflow.runName"]))
