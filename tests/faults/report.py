"""The kill table at the end of a run, whichever worker the rows come from."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pytest

from tests.faults.kills import Kills, table

KILLS = pytest.StashKey[list[Kills]]()
TABLE: Final = Path(__file__).parents[2] / "docs" / "kill-table.md"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its rows over to the process that prints."""
    workeroutput: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if workeroutput is not None:
        workeroutput["kills"] = [asdict(row) for row in session.config.stash.get(KILLS, [])]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker hands over."""
    handed = getattr(node, "workeroutput", {}).get("kills", [])
    rows = node.config.stash.setdefault(KILLS, [])
    rows += [Kills(**row) for row in handed]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the kill table; with MAESTRO_WRITE_DOCS=1 write it into the documents too."""
    rows = config.stash.get(KILLS, [])
    if not rows:
        return
    terminalreporter.section("kills")
    for line in table(rows):
        terminalreporter.write_line(line)
    if os.environ.get("MAESTRO_WRITE_DOCS") == "1":
        TABLE.write_text(document(rows), encoding="utf-8")


def document(rows: list[Kills]) -> str:
    """The kill table as a page of the documents."""
    return "\n".join(
        [
            "# Kill table",
            "",
            "The services' process sends itself SIGKILL at a named point while 64 clients of four",
            "tenants write runs, batches of points and experiments; it is started again, and at the end",
            "of a point's repeats all that was acknowledged is looked for: in tracking, in the",
            "registry's read model, and in the diary of a witness that notes every effect of every",
            "fact. No more may be stored than was acknowledged or left uncertain. Made by",
            "`FAULT_REPEATS=20 MAESTRO_WRITE_DOCS=1 make test ARGS=tests/faults/test_kills.py`.",
            "",
            *table(rows),
            "",
        ]
    )
