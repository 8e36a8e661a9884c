"""Requests that several operations begin with or look at, and cases put together from them."""

from typing import Any

from tests.conformance.cases import Case, Request

TAG = {"key": "team", "value": "blue"}
UNKNOWN_RUN = "0123456789abcdef0123456789abcdef"
UNKNOWN_MODEL = f"m-{UNKNOWN_RUN}"
UNKNOWN_EXPERIMENT = "999999"


def post(path: str, body: Any, **keep: str) -> Request:
    """A POST to `2.0/mlflow/<path>`; `keep` maps names to paths of the answer."""
    return Request("POST", f"2.0/mlflow/{path}", body=body, keep=keep)


def get(path: str, query: str = "") -> Request:
    """A GET of `2.0/mlflow/<path>`."""
    return Request("GET", f"2.0/mlflow/{path}", query)


def experiment(kept: str = "exp", /, **more: Any) -> Request:
    """A new experiment, its id kept under a name."""
    return post("experiments/create", {"name": "$new", **more}, **{kept: "experiment_id"})


def run(kept: str = "run", /, **more: Any) -> Request:
    """A new run of `$exp`, its id kept under a name."""
    body = {"experiment_id": "$exp", "start_time": 1000, "run_name": "first", **more}
    return post("runs/create", body, **{kept: "run.info.run_id"})


def model(kept: str = "model", /, **more: Any) -> Request:
    """A new logged model of `$exp`, its id kept under a name."""
    body = {"experiment_id": "$exp", "name": "net", **more}
    return post("logged-models", body, **{kept: "model.info.model_id"})


def see_experiment(name: str = "exp") -> Request:
    """The experiment kept under `name`, as it is now."""
    return get("experiments/get", f"experiment_id=${name}")


def see_run(name: str = "run") -> Request:
    """The run kept under `name`, as it is now."""
    return get("runs/get", f"run_id=${name}")


def case(name: str, *requests: Request) -> Case:
    """A case; its own request is the first, those after it show what it did."""
    return Case(name, requests)
