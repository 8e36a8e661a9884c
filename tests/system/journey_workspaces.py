"""A team's workspace from the user's seat: made, worked in, not seen from outside, deleted.

Run by path: `journey_workspaces.py NAME`, with the client's variables in the environment.
"""

import sys
from collections.abc import Callable

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.tracking._workspace import fluent as workspaces


def echo(model_input: list[str]) -> list[str]:
    """A model that gives back what it is given."""
    return model_input


def refusal(action: Callable[[], object]) -> str:
    """The message with which an action is refused."""
    try:
        action()
    except MlflowException as problem:
        return str(problem)
    raise AssertionError("it was not refused")


def work(name: str) -> str:
    """Log a run with a file and a model, and register it; the run's id."""
    mlflow.set_experiment(f"{name} experiment")
    with mlflow.start_run() as run:
        mlflow.log_metric("loss", 0.5)
        mlflow.log_text("in a workspace", "note.txt")
        mlflow.pyfunc.log_model(
            name="model",
            python_model=echo,
            registered_model_name=name,
            pip_requirements=["mlflow"],
        )
    return str(run.info.run_id)


def experiment(name: str) -> Experiment:
    """The experiment of that name in the active workspace."""
    found = mlflow.get_experiment_by_name(f"{name} experiment")
    assert found is not None
    return found


def check_there(name: str, run_id: str) -> None:
    """All that `work` left is to be had in the active workspace."""
    assert mlflow.get_run(run_id).data.metrics == {"loss": 0.5}
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/note.txt") == "in a workspace"
    assert mlflow.pyfunc.load_model(f"models:/{name}/1").predict(["a"]) == ["a"]


def check_absent(name: str, run_id: str) -> None:
    """Nothing of it is seen in the active workspace."""
    assert "not found" in refusal(lambda: mlflow.get_run(run_id))
    assert mlflow.get_experiment_by_name(f"{name} experiment") is None
    assert MlflowClient().search_registered_models(f"name = '{name}'") == []
    assert "not found" in refusal(lambda: MlflowClient().get_model_version(name, "1"))


def made(workspace: str, name: str) -> str:
    """A workspace in which somebody has worked; the run's id."""
    mlflow.set_workspace(None)
    assert workspaces.create_workspace(workspace, description="ours").name == workspace
    mlflow.set_workspace(workspace)
    run_id = work(name)
    check_there(name, run_id)
    assert experiment(name).workspace == workspace
    assert "No Experiment with id=0 exists" in refusal(lambda: MlflowClient().create_run("0"))
    mlflow.set_workspace("default")
    check_absent(name, run_id)
    return run_id


def main(name: str) -> None:
    """Each way to delete a workspace, and a name that is not there."""
    run_id = made(f"{name}-moves", name)
    assert "still contains 1 resource(s)" in refusal(
        lambda: workspaces.delete_workspace(f"{name}-moves")
    )
    mlflow.set_experiment(f"{name} experiment")
    assert f"experiments: '{name} experiment'" in refusal(
        lambda: workspaces.delete_workspace(f"{name}-moves", mode="SET_DEFAULT")
    )
    MlflowClient().rename_experiment(experiment(name).experiment_id, f"{name} other")
    workspaces.delete_workspace(f"{name}-moves", mode="SET_DEFAULT")
    check_there(name, run_id)
    assert f"{name}-moves" not in [one.name for one in workspaces.list_workspaces()]
    mlflow.set_workspace(f"{name}-moves")
    assert f"Workspace '{name}-moves' not found" in refusal(lambda: mlflow.get_run(run_id))

    gone = made(f"{name}-goes", f"{name}-2")
    workspaces.delete_workspace(f"{name}-goes", mode="CASCADE")
    check_absent(f"{name}-2", gone)
    workspaces.create_workspace(f"{name}-goes")
    mlflow.set_workspace(f"{name}-goes")
    check_absent(f"{name}-2", gone)
    mlflow.set_workspace("default")
    workspaces.delete_workspace(f"{name}-goes")


if __name__ == "__main__":
    main(sys.argv[1])
