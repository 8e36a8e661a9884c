"""`maestro retention` and `maestro gc`: what they ask of the platform, and what they print."""

from typing import Any

import pytest
from maestro.app import application
from maestro.connection import Connection
from typer.testing import CliRunner

ENVIRONMENT = {"MAESTRO_URL": "http://platform", "MAESTRO_TOKEN": "token"}
RULE = "/experiments/7/retention"


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("retention show 7", ("GET", RULE, {})),
        (
            "retention set 7 --deleted-days 90 --finished-days 365",
            (
                "PUT",
                RULE,
                {"body": {"deleted_days": 90, "finished_days": 365, "archive_days": None}},
            ),
        ),
        (
            "retention set 7 --deleted-days 90 --archive-days 30",
            (
                "PUT",
                RULE,
                {"body": {"deleted_days": 90, "finished_days": None, "archive_days": 30}},
            ),
        ),
        ("retention clear 7", ("DELETE", RULE, {})),
        ("gc", ("GET", "/garbage", {"query": {"older_than_days": None}})),
        ("gc --dry-run --older-than 3", ("GET", "/garbage", {"query": {"older_than_days": 3}})),
        ("gc --now", ("POST", "/garbage/collect", {"body": {"older_than_days": None}})),
        ("gc --now --older-than 0", ("POST", "/garbage/collect", {"body": {"older_than_days": 0}})),
    ],
)
def test_what_is_asked_and_told(monkeypatch: pytest.MonkeyPatch, command: str, asked: Any) -> None:
    seen = []

    def ask(_: Connection, method: str, path: str, **more: Any) -> Any:
        seen.append((method, path, more))
        return {"artifact_bytes": 12345}

    monkeypatch.setattr(Connection, "ask", ask)
    ran = CliRunner().invoke(application(ENVIRONMENT), command.split())
    assert ran.exit_code == 0, ran.output
    assert seen == [asked]
    assert "12345" in ran.output
