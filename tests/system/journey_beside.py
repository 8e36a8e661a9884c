"""A run of another tenant, which nobody else may see: run by path in a process of its own."""

import mlflow

mlflow.set_experiment("globex experiment")
with mlflow.start_run(run_name="globex run"):
    mlflow.log_metric("globex metric", 1)
