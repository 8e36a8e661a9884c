"""`maestro runs`: what it asks of the platform, and what it prints."""

from typing import Any

import pytest
from maestro.app import application
from maestro.connection import Connection
from typer.testing import CliRunner

ENVIRONMENT = {"MAESTRO_URL": "http://platform", "MAESTRO_TOKEN": "token"}
MADE = {"run_id": "b" * 32, "forked_from": "a" * 32, "forked_at_step": 7}


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ([], {"run_name": ""}),
        (["--step", "7", "--name", "again"], {"run_name": "again", "step": 7}),
    ],
)
def test_a_fork_is_asked_for_and_told(
    monkeypatch: pytest.MonkeyPatch, options: list[str], body: dict[str, Any]
) -> None:
    asked = []

    def ask(_: Connection, method: str, path: str, **more: Any) -> Any:
        asked.append((method, path, more["body"]))
        return MADE

    monkeypatch.setattr(Connection, "ask", ask)
    ran = CliRunner().invoke(application(ENVIRONMENT), ["runs", "fork", "a" * 32, *options])
    assert ran.exit_code == 0, ran.output
    assert asked == [("POST", f"/runs/{'a' * 32}/fork", body)]
    assert f"MLFLOW_RUN_ID={'b' * 32}" in ran.output.replace("\n", " ")
