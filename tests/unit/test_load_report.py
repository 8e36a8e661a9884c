"""The bench's report says what was found, and stands between its marks in the document."""

from array import array
from pathlib import Path

import pytest

from tests.load import report
from tests.load.bench import verdict
from tests.load.report import BEGIN, END, Findings
from tests.load.rounds import Result
from tests.load.sides import OURS, THEIRS
from tests.load.tally import Tally


def result(side: str, *rates: int, wrong: int = 0) -> Result:
    """Rounds of one second with as many answers each."""
    rounds = [
        Tally(acknowledged=n, measured=n, seconds=1, wrong=wrong, latencies=array("d", [0.01] * n))
        for n in rates
    ]
    return Result("log-metric", side, rounds, spent={"server": 0.5})


def findings(lost: int = 0, wrong: int = 0) -> Findings:
    """Ours ten times theirs."""
    return Findings(
        command="make bench",
        machine="2 cores",
        results={
            ("log-metric", OURS): result(OURS, 900, 1000, 2000, wrong=wrong),
            ("log-metric", THEIRS): result(THEIRS, 100, 90, 110),
        },
        rows={("log-metric", OURS): (3900, 3900 - lost)},
        starts={OURS: [9.0, 5.0], THEIRS: [30.0]},
        memory={(OURS, "idle"): {"services": 90_000_000, "PostgreSQL": 60_000_000}},
        visible=[0.01, 0.02, 0.03],
    )


def test_medians_of_the_rounds_are_compared() -> None:
    text = report.plain(findings())
    assert "10.0 ×" in text
    assert "1,000" in text
    assert "10.0 / 10.0" in text
    assert "150" in text
    assert "again 5.0 s" in text
    assert "P50 20 ms, P95 30 ms" in text


def test_lost_rows_wrong_answers_and_a_low_ratio_fail() -> None:
    assert verdict(findings(), 5) == []
    assert "1 acknowledged rows are lost" in verdict(findings(lost=1), 5)
    assert any("6 failed" in line for line in verdict(findings(wrong=2), 5))
    assert any("under 20" in line for line in verdict(findings(), 20))


def test_the_document_keeps_what_stands_around_the_marks(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text(f"# Figures\n\n{BEGIN}\n\nold\n\n{END}\n\nmore\n", encoding="utf-8")
    report.write(file, findings())
    report.write(file, findings())
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# Figures\n")
    assert text.endswith("\n\nmore\n")
    assert "old" not in text
    assert text.count("| log-metric | 10.0 × |") == 1


def test_a_document_without_marks_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text("# Figures\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        report.write(file, findings())
    assert file.read_text(encoding="utf-8") == "# Figures\n"
