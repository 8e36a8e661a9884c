"""Runs that say which data they read, with the kinds of datasets that need no other service."""

import json
import sys

import mlflow
import numpy as np
import pandas as pd

mlflow.set_experiment(sys.argv[1])
frame = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2, 4, 6], "label": ["a", "b", "a"]})
DATASETS = (
    (mlflow.data.from_pandas(frame, name="table", targets="y"), "training", None),
    (mlflow.data.from_pandas(frame, source="https://example.org/t.csv"), "testing", None),
    (mlflow.data.from_numpy(np.arange(6).reshape(2, 3), name="numbers"), "eval", None),
    (mlflow.data.from_numpy({"a": np.ones(2), "b": np.zeros(2)}, name="dict"), None, None),
    (mlflow.data.from_pandas(frame, name="table", targets="y"), "training", {"again": "yes"}),
)

with mlflow.start_run(run_name="reads") as run:
    for dataset, context, tags in DATASETS:
        mlflow.log_input(dataset, context=context, tags=tags)
        print(dataset.name, dataset.digest)
    mlflow.log_metric("mean", 2.0, dataset=DATASETS[0][0])

found = mlflow.get_run(run.info.run_id)
for given in sorted(found.inputs.dataset_inputs, key=lambda one: one.dataset.name):
    print(json.dumps(given.to_dictionary(), indent=1, sort_keys=True))
first = min(found.inputs.dataset_inputs, key=lambda one: one.dataset.name).dataset
source = mlflow.data.get_source(first)
print(type(source).__name__, source.to_json())

for words in (
    "dataset.name = 'table'",
    "dataset.name = 'numbers' and dataset.context = 'eval'",
    f"dataset.digest = '{DATASETS[2][0].digest}'",
    "dataset.name LIKE 'num%'",
    "dataset.context = 'nothing'",
    "dataset.name IN ('dict', 'other')",
):
    found_runs = mlflow.search_runs(filter_string=words, output_format="list")
    print(words, [found.info.run_name for found in found_runs])
