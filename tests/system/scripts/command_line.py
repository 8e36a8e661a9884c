"""The command lines `mlflow experiments`, `mlflow runs` and `mlflow artifacts`, as typed."""

import os
import shlex
import sys
import tempfile
from pathlib import Path

import click
import mlflow
from mlflow.cli import cli

NAME = sys.argv[1]


def typed(line: str) -> None:
    """Run one command line of `mlflow`, with what it prints and how it ends."""
    print(f"$ mlflow {line}")
    try:
        cli.main(shlex.split(line), standalone_mode=False)
    except click.ClickException as problem:
        print("refused:", problem.format_message())
    except Exception as problem:
        print("refused:", type(problem).__name__, problem)


def main(folder: Path) -> None:
    """A session at a terminal."""
    os.chdir(folder)
    (folder / "deep").mkdir()
    (folder / "one.txt").write_text("one", encoding="utf-8")
    (folder / "deep" / "two.txt").write_text("two", encoding="utf-8")
    typed(f"experiments create --experiment-name {NAME}")
    typed(f"experiments create --experiment-name {NAME}")
    experiment = mlflow.get_experiment_by_name(NAME).experiment_id
    typed(f"experiments get --experiment-id {experiment}")
    typed(f"experiments get --experiment-name {NAME} --output json")
    typed(f"experiments rename --experiment-id {experiment} --new-name {NAME}-renamed")
    typed(f"runs create --experiment-id {experiment} --run-name typed --tags a=1 --tags b=2")
    typed(f"runs create --experiment-name {NAME}-renamed --run-name wrecked --status FAILED")
    typed("runs create --experiment-name never-there")
    # One tag alone, as a server may list several in any order.
    bare = mlflow.MlflowClient().create_run(experiment, 1_700_000_000_000, run_name="bare")
    bare = bare.info.run_id
    run = mlflow.search_runs([experiment], "run_name = 'typed'").iloc[0].run_id
    for line in (
        f"runs list --experiment-id {experiment}",
        f"runs list --experiment-id {experiment} --view all",
        f"runs describe --run-id {bare}",
        f"artifacts log-artifact --run-id {run} --local-file one.txt",
        f"artifacts log-artifact --run-id {run} --local-file one.txt -a sub",
        f"artifacts log-artifacts --run-id {run} --local-dir . --artifact-path all",
        f"artifacts list --run-id {run}",
        f"artifacts list --run-id {run} -a all",
        f"artifacts list --run-id {run} -a nothing",
        f"artifacts download --run-id {run} -a all -d back",
        f"artifacts download --artifact-uri runs:/{run}/sub/one.txt -d back",
        f"artifacts download --run-id {run} -a nothing -d back",
        f"runs link-traces --run-id {run}",
        f"runs delete --run-id {run}",
        f"runs list --experiment-id {experiment}",
        f"runs list --experiment-id {experiment} --view deleted_only",
        f"runs restore --run-id {run}",
        f"runs describe --run-id {'0' * 32}",
        f"experiments csv --experiment-id {experiment} --filename runs.csv",
        f"experiments delete --experiment-id {experiment}",
        "experiments search --view deleted_only",
        f"experiments restore --experiment-id {experiment}",
    ):
        typed(line)
    for file in sorted((folder / "back").rglob("*.txt")):
        print(file.relative_to(folder), file.read_text(encoding="utf-8"))


with tempfile.TemporaryDirectory() as name:
    main(Path(name))
