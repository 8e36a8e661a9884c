"""Every call of MlflowClient that belongs to tracking, good and refused, each with its answer."""

import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
)
from mlflow.exceptions import MlflowException
from PIL import Image

START = 1_700_000_000_000
NAME = sys.argv[1]
MISSING_RUN = "0" * 32
MISSING_MODEL = "m-" + "0" * 32
called = set()
client = MlflowClient()


def plain(value: Any) -> Any:
    """An answer as JSON can show it: entities are shown with all their properties."""
    if hasattr(type(value), "_properties"):
        return {name: plain(inner) for name, inner in value}
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def call(name: str, *words: Any, **named: Any) -> Any:
    """Call the client, show what came of it, and give that."""
    called.add(name)
    try:
        answer = getattr(client, name)(*words, **named)
    except MlflowException as problem:
        print(f"{name} is refused: {problem.error_code}: {problem.message}")
        return None
    except Exception as problem:
        print(f"{name} fails: {type(problem).__name__}: {problem}")
        return None
    print(f"{name}: {json.dumps(plain(answer), indent=1, sort_keys=True)}")
    return answer


def experiments() -> str:
    """Experiments with their tags; gives the id of one that stays."""
    kept: str = call("create_experiment", NAME, tags={"team": "blue"})
    call("create_experiment", NAME)
    call("create_experiment", "")
    other = call("create_experiment", f"{NAME}, second")
    call("get_experiment", kept)
    call("get_experiment", "999999999")
    call("get_experiment", "none")
    call("get_experiment_by_name", NAME)
    call("get_experiment_by_name", "never there")
    call("set_experiment_tag", kept, "stage", "first")
    call("set_experiment_tag", kept, "long", "x" * 20_001)
    call("delete_experiment_tag", kept, "team")
    call("delete_experiment_tag", kept, "team")
    call("rename_experiment", other, f"{NAME}, renamed")
    call("delete_experiment", other)
    call("delete_experiment", other)
    call("create_run", other)
    named = f"name LIKE '{NAME}%'"
    for view in (1, 2, 3):
        call("search_experiments", view, filter_string=named, order_by=["name DESC"])
    call("restore_experiment", other)
    call("restore_experiment", other)
    call("delete_experiment", "999999999")
    call("search_experiments", filter_string="tags.stage = 'first'")
    call("search_experiments", filter_string="nothing.here = 'x'")
    call("search_experiments", max_results=0)
    call("search_experiments", max_results=1, filter_string=named, order_by=["name"])
    return kept


def runs(experiment: str) -> str:
    """Runs with all that is logged to them; gives the id of one with everything."""
    run = call("create_run", experiment, start_time=START, tags={"k": "v"}, run_name="first")
    run_id: str = run.info.run_id
    child = call("create_run", experiment, START + 1, {"mlflow.parentRunId": run_id}, "child")
    call("get_parent_run", child.info.run_id)
    call("get_parent_run", run_id)
    call("create_run", "999999999")
    call("log_metric", run_id, "loss", 0.5, START, 1)
    call("log_metric", run_id, "loss", 0.25, START + 5, 2)
    call("log_metric", run_id, "loss", float("nan"), START + 6, 3)
    call("log_metric", run_id, "up", float("inf"), START, 0)
    call("log_metric", run_id, "", 1.0, START, 0)
    call("log_metric", run_id, "bad key!", 1.0, START, 0)
    call("log_metric", run_id, "k" * 251, 1.0, START, 0)
    call("log_metric", MISSING_RUN, "loss", 1.0, START, 0)
    call("get_metric_history", run_id, "loss")
    call("get_metric_history", run_id, "none")
    call("log_param", run_id, "depth", 3)
    call("log_param", run_id, "depth", 3)
    call("log_param", run_id, "depth", 4)
    call("log_param", run_id, "long", "x" * 6_001)
    call("set_tag", run_id, "colour", "green")
    call("set_tag", run_id, "colour", "blue")
    call("set_tag", run_id, "long", "y" * 8_001)
    call("delete_tag", run_id, "colour")
    call("delete_tag", run_id, "colour")
    points = [Metric(f"batch{i}", float(i), START, i) for i in range(3)]
    params = [Param("p", "1"), Param("q", "2")]
    call("log_batch", run_id, points, params, [RunTag("batch", "yes")])
    call("log_batch", run_id, params=[Param("p", "other"), Param("new", "1")])
    call("log_batch", run_id, params=[Param("twice", "1"), Param("twice", "2")])
    call("log_batch", run_id, metrics=[Metric("m", 1.0, START, 0)] * 1_001)
    call("log_batch", MISSING_RUN, points)
    call("get_run", run_id)
    call("get_run", MISSING_RUN)
    call("get_run", "not an id")
    call("update_run", run_id, "RUNNING", "renamed")
    call("update_run", run_id, "NOTHING")
    call("set_terminated", child.info.run_id, "FAILED", START + 10)
    call("get_run", child.info.run_id)
    return run_id


def searches(experiment: str, run_id: str) -> None:
    """Searches of runs, and their deletion."""
    for words in (
        f"tags.mlflow.parentRunId = '{run_id}'",
        "metrics.batch2 > 1 and params.p = '1'",
        "attributes.status = 'FAILED'",
        "params.depth = 3",
        "nothing.here = 'x'",
    ):
        call("search_runs", [experiment], words, order_by=["attributes.start_time ASC"])
    first = call("search_runs", [experiment], max_results=1, order_by=["start_time ASC"])
    found = client.search_runs(
        [experiment], max_results=1, order_by=["start_time ASC"], page_token=first.token
    )
    print("next page:", [run.info.run_name for run in found])
    call("search_runs", [experiment], max_results=50_001)
    call("search_runs", [experiment], order_by=["nothing.here"])
    call("delete_run", run_id)
    call("log_metric", run_id, "loss", 1.0, START, 9)
    call("delete_run", run_id)
    call("search_runs", [experiment], run_view_type=2)
    call("restore_run", run_id)
    call("restore_run", run_id)
    call("delete_run", MISSING_RUN)


def inputs(experiment: str, run_id: str) -> None:
    """Datasets and models that a run has read and made."""
    dataset = Dataset("flowers", "abc123", "code", '{"tags": {}}', schema="{}", profile="{}")
    tag = InputTag("mlflow.data.context", "training")
    call("log_inputs", run_id, [DatasetInput(dataset, [tag])])
    call("log_inputs", run_id, [DatasetInput(dataset, [tag])])
    call("log_inputs", run_id)
    call("log_inputs", MISSING_RUN, [DatasetInput(dataset, [])])
    model = client.create_logged_model(experiment, "put out", run_id)
    call("log_outputs", run_id, [LoggedModelOutput(model.model_id, 3)])
    call("log_inputs", run_id, models=[LoggedModelInput(model.model_id)])
    call("log_outputs", run_id, [LoggedModelOutput(MISSING_MODEL, 1)])
    call("get_run", run_id)


def logged_models(experiment: str, run_id: str, folder: Path) -> None:
    """Logged models from their making to their end."""
    model = call(
        "create_logged_model", experiment, "tree", run_id, {"t": "1"}, {"depth": "3"}, "agent"
    )
    model_id = model.model_id
    call("create_logged_model", experiment, "a/b")
    call("create_logged_model", "999999999", "tree")
    call("get_logged_model", model_id)
    call("get_logged_model", MISSING_MODEL)
    call("log_model_params", model_id, {"leaves": "9"})
    call("set_logged_model_tags", model_id, {"colour": "green", "n": 1})
    call("delete_logged_model_tag", model_id, "t")
    call("delete_logged_model_tag", model_id, "t")
    call("log_metric", run_id, "accuracy", 0.75, START, 1, model_id=model_id)
    call("log_model_artifact", model_id, str(folder / "one.txt"))
    call("log_model_artifacts", model_id, str(folder / "more"))
    call("list_logged_model_artifacts", model_id)
    call("list_logged_model_artifacts", model_id, "deep")
    call("list_logged_model_artifacts", MISSING_MODEL)
    call("finalize_logged_model", model_id, "READY")
    call("search_logged_models", [experiment], "name = 'tree'")
    call("search_logged_models", [experiment], "metrics.accuracy > 0.5 AND params.depth = '3'")
    call("search_logged_models", [experiment], order_by=[{"field_name": "metrics.accuracy"}])
    call("delete_logged_model", model_id)
    call("delete_logged_model", model_id)
    call("get_logged_model", model_id)


def artifacts(experiment: str, run_id: str, folder: Path) -> None:
    """Files of a run, up and down."""
    call("log_artifact", run_id, str(folder / "one.txt"))
    call("log_artifact", run_id, str(folder / "one.txt"), "a folder/ünï")
    call("log_artifacts", run_id, str(folder / "more"), "more")
    call("log_artifact", run_id, str(folder / "one.txt"), "../outside")
    call("log_text", run_id, "words", "words/some.txt")
    call("log_dict", run_id, {"b": 1, "a": [1, 2]}, "words/some.json")
    call("log_stream", run_id, io.BytesIO(b"bytes"), "stream.bin")
    figure = Figure()
    figure.subplots().plot([1, 2])
    called.update(("log_figure", "log_image"))
    client.log_figure(run_id, figure, "figures/line.svg")
    client.log_image(run_id, Image.new("RGB", (4, 4)), "images/black.png")
    call("log_table", run_id, {"question": ["a", "b"], "answer": [1, 2]}, "table.json")
    call("log_table", run_id, pd.DataFrame({"question": ["c"], "answer": [3]}), "table.json")
    table = client.load_table(experiment, "table.json", [run_id], ["run_id"])
    called.add("load_table")
    print(table.drop(columns="run_id").to_csv(index=False))
    for path in (None, "more", "more/deep", "words", "none", "one.txt", "a folder"):
        listed = call("list_artifacts", run_id, path)
        print(path, [(f.path, f.is_dir) for f in listed or []])
    call("list_artifacts", MISSING_RUN)
    back = client.download_artifacts(run_id, "", str(folder))
    called.add("download_artifacts")
    for file in sorted(Path(back).rglob("*.txt")):
        print(file.relative_to(back), file.read_text(encoding="utf-8"))
    call("download_artifacts", run_id, "not there", str(folder))


def main() -> None:
    """All of it, on one experiment."""
    experiment = experiments()
    run_id = runs(experiment)
    searches(experiment, run_id)
    inputs(experiment, run_id)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "more" / "deep").mkdir(parents=True)
        (folder / "one.txt").write_text("one", encoding="utf-8")
        (folder / "more" / "two.txt").write_text("two", encoding="utf-8")
        (folder / "more" / "deep" / "three.txt").write_text("three", encoding="utf-8")
        artifacts(experiment, run_id, folder)
        logged_models(experiment, run_id, folder)
    print("called:", " ".join(sorted(called)))


main()
