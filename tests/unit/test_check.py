"""`make check` runs every check, whatever fails, and tells all failures at the end."""

import sys

import pytest

from tools import check
from tools.check import Step

GOOD = Step("good", (sys.executable, "-c", "print('all is well')"))
BAD = Step("bad", (sys.executable, "-c", "import sys; print('line 7 is wrong'); sys.exit(1)"))
WORSE = Step("worse", (sys.executable, "-c", "raise SystemExit('nothing is right')"))


def test_failures_come_together_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run tells everything: a failure stops no later check."""
    monkeypatch.setattr(check, "STEPS", (BAD, GOOD, WORSE))
    assert check.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        ["bad", "broken"],
        ["good", "kept"],
        ["worse", "broken"],
    ]
    rest = "\n".join(lines[3:])
    assert rest.index("line 7 is wrong") < rest.index("nothing is right")
    assert "all is well" not in rest
    assert lines[-1].startswith("2 of 3 checks broken")


def test_one_check_can_be_run_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Naming checks runs those only, and success is silent but for its line."""
    monkeypatch.setattr(check, "STEPS", (BAD, GOOD))
    assert check.main(["good"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_misspelt_check_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for a check that does not exist fails and names those that do."""
    assert check.main(["lnit"]) == 2
    assert "lint" in capsys.readouterr().out


def test_every_part_of_the_repository_is_typed() -> None:
    """Types are checked in libraries, services, tools and tests alike."""
    (types,) = [step.command for step in check.STEPS if step.title == "types"]
    assert {"libs", "services", "tools", "tests"} <= set(types)
