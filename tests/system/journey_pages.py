"""What the web pages are looked at with: runs, models and artifacts of a stock mlflow client.

Run by path in a process of its own: `journey_pages.py [CANARY]`. With the address of a canary it logs
names, notes and files that would tell it if they ran. Ends with a line of JSON that says what it made.
"""

import json
import sys

import mlflow
from mlflow import MlflowClient

STEPS = 20
MODEL = "price-model"


class Echo(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined, misc]
    """A model that says what it is told."""

    def predict(self, context: object, model_input: list[str]) -> list[str]:
        """Its input."""
        return model_input


def main(canary: str) -> None:
    """Two runs, one of which makes a registered model; a third that means no good."""
    experiment = mlflow.set_experiment("prices")
    runs = [trained(number, registers=number == 0) for number in range(2)]
    client = MlflowClient()
    client.set_registered_model_alias(MODEL, "champion", "1")
    client.update_registered_model(MODEL, "Predicts the **price** of a flat.")
    made = {"experiment": experiment.experiment_id, "runs": runs, "model": MODEL}
    if canary:
        made["hostile"] = hostile(client, canary)
    print(json.dumps(made))


def trained(number: int, *, registers: bool) -> str:
    """A run with params, metrics, a dataset and files."""
    with mlflow.start_run(run_name=f"ridge-{number}") as run:
        mlflow.log_params({"alpha": 0.25 + number, "solver": "svd"})
        for step in range(STEPS):
            mlflow.log_metric("loss", round(2.5 / (step + 1) + number / 8, 4), step=step)
        mlflow.log_metric("r2", 0.8125 + number / 16)
        mlflow.set_tags({"team": "housing", "mlflow.note.content": "# Ridge\n\nA *first* try."})
        mlflow.log_text("<h1>Report</h1><p>All is well.</p>", "report.html")
        mlflow.log_text("room,price\n1,200\n2,300\n", "prices.csv")
        if registers:
            mlflow.pyfunc.log_model(name="echo", python_model=Echo(), registered_model_name=MODEL)
    return str(run.info.run_id)


def hostile(client: MlflowClient, canary: str) -> str:
    """A run whose every text runs, or asks the canary, where it is taken for markup."""
    harm = "window.harmed=1;console.log('harmed')"
    script = f"<script>{harm};fetch('{canary}/script')</script>"
    image = f'<img src="{canary}/image" onerror="{harm}">'
    markdown = f"[x](javascript:window.harmed=1) ![y]({canary}/markdown)"
    with mlflow.start_run(run_name=f"{image}{script}") as run:
        mlflow.log_param("attack", script)
        mlflow.set_tag("attack", image)
        mlflow.set_tag("mlflow.note.content", f"# Note\n\n{script}\n\n{image}\n\n{markdown}")
        page = f'<html><body onload="{harm}">Hostile page{script}{image}</body></html>'
        mlflow.log_text(page, "x.html")
        mlflow.log_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{script}</svg>", "x.svg")
        mlflow.log_text(f"# File\n\n{script}\n\n{image}", "x.md")
    client.set_model_version_tag(MODEL, "1", "attack", image)
    client.update_model_version(MODEL, "1", f"{script}\n\n{image}")
    return str(run.info.run_id)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
