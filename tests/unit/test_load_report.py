"""The bench's report says what was found, and stands between its marks in the document."""

from array import array
from pathlib import Path

import pytest

from tests.load import report
from tests.load.caching import Found
from tests.load.carrying import Carried
from tests.load.crowd import Crowd
from tests.load.findings import Findings, Mixed, verdict
from tests.load.rounds import Result
from tests.load.sides import FAST, OURS, SEPARATE, THEIRS
from tests.load.tally import Tally

BEGIN = "<!-- bench: written by a command -->"
END = "<!-- /bench -->"


def tally(answers: int, wrong: int = 0) -> Tally:
    """A round of one second with so many answers after 10 ms."""
    return Tally(
        acknowledged=answers,
        measured=answers,
        seconds=1,
        wrong=wrong,
        latencies=array("d", [0.01] * answers),
    )


def result(side: str, clients: int, *rates: int, wrong: int = 0) -> Result:
    """Rounds of one second with as many answers each."""
    rounds = [tally(number, wrong) for number in rates]
    return Result("get-run", side, clients, rounds, spent={"server": 0.5}, found=Found(9, 1))


def findings(lost: int = 0, wrong: int = 0) -> Findings:
    """Ours ten times theirs, FastTrackML three times."""
    results = [
        result(OURS, 16, 900, 1000, 2000, wrong=wrong),
        result(THEIRS, 16, 100, 90, 110),
        result(FAST, 16, 300, 300, 300),
        result(OURS, 64, 4000),
        result(THEIRS, 64, 100),
    ]
    return Findings(
        command="make bench",
        machine="2 cores",
        results={("get-run", one.side, one.clients): one for one in results},
        rows={("get-run", OURS): (3900, 3900 - lost)},
        starts={OURS: [9.0, 5.0], THEIRS: [30.0]},
        memory={(OURS, "idle"): {"services": 90_000_000, "PostgreSQL": 60_000_000}},
        visible=[0.01, 0.02, 0.03],
        cold={OURS: tally(500)},
        bytes_each={OURS: 76.4, THEIRS: 372.9},
        mixed={OURS: Mixed(1200, tally(1200), Found(19, 1))},
        crowds={OURS: Crowd(5000, 2000, closed=0, tally=tally(10_000))},
        carried={OURS: Carried(1024, up=[4.0, 2.0, 3.0], down=[2.0], grown=30_000_000)},
    )


def test_medians_of_the_rounds_are_compared() -> None:
    text = report.plain(findings())
    assert "10.0 ×" in text
    assert "1,000" in text
    assert "10.0 / 10.0" in text
    assert "150" in text
    assert "again 5.0 s" in text
    assert "P50 20 ms, P95 30 ms" in text


def test_clients_stand_beside_each_other_and_what_was_not_measured_is_a_dash() -> None:
    table = report.multiples(findings())
    assert table[0][1:] == [
        f"{OURS}, 16 clients",
        f"{OURS}, 64 clients",
        *(f"{FAST}, {clients} clients" for clients in (16, 64)),
    ]
    assert table[1] == ["get-run", "10.0 ×", "40.0 ×", "3.0 ×", report.NOTHING]
    of_fast = next(row for row in report.throughput(findings()) if row[1] == FAST)
    assert of_fast == ["get-run", FAST, "300", "10.0 / 10.0", "0", *[report.NOTHING] * 3]


def test_cold_and_warm_reads_stand_with_the_hit_rate() -> None:
    row = report.temperatures(findings())[1]
    assert row == [OURS, "500", "10.0 / 10.0", "1,000", "10.0 / 10.0", "90.0 %"]
    assert report.hit_rate(Found()) == report.NOTHING


def test_figures_that_are_no_multiples_have_lines_of_their_own() -> None:
    values = {(row[0].split(" ")[0], row[1]): row[2] for row in report.absolutes(findings())}
    assert values["bytes", THEIRS] == "373"
    assert values["mixed", OURS] == "10.0 / 10.0, 0, 95.0 %"
    assert values["5,000", OURS] == "0 of 10,000 requests"


def test_an_artifact_goes_up_and_down_by_the_median_of_the_rounds() -> None:
    assert report.artifacts(findings())[1] == ["1,024 MB", OURS, "341", "512", "30"]
    broken = findings()
    broken.carried = {OURS: Carried(1024, wrong="503")}
    assert any("artifact: 503" in line for line in verdict(broken, 5))


def test_lost_rows_wrong_answers_errors_and_a_low_multiple_fail() -> None:
    assert verdict(findings(), 5) == []
    assert "1 acknowledged rows are lost" in verdict(findings(lost=1), 5)
    assert any("6 failed" in line for line in verdict(findings(wrong=2), 5))
    assert [line for line in verdict(findings(), 20) if "under 20" in line] == [
        "get-run, 16 clients: 10.0 times mlflow server, under 20"
    ]
    closed = findings()
    closed.crowds = {OURS: Crowd(5000, 2000, closed=3, tally=tally(10))}
    assert any("3 errors" in line for line in verdict(closed, 5))
    late = findings()
    late.mixed = {OURS: Mixed(1200, tally(1000, wrong=7), Found())}
    assert any("mixed load: 7 failed" in line for line in verdict(late, 5))


def test_another_run_is_put_beside() -> None:
    one = result(SEPARATE, 16, 700)
    other = Findings("", "", {("get-run", SEPARATE, 16): one}, bytes_each={SEPARATE: 76.0})
    both = findings().with_those_of(other)
    assert both.sides == [OURS, THEIRS, FAST, SEPARATE]
    assert both.multiple("get-run", SEPARATE, 16) == 7
    assert set(both.bytes_each) == {OURS, THEIRS, SEPARATE}


def test_the_document_keeps_what_stands_around_the_marks(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text(f"# Figures\n\n{BEGIN}\n\nformer\n\n{END}\n\nmore\n", encoding="utf-8")
    report.write(file, findings())
    report.write(file, findings())
    text = file.read_text(encoding="utf-8")
    assert text.startswith("# Figures\n")
    assert text.endswith("\n\nmore\n")
    assert "former" not in text
    assert text.count("| get-run | 10.0 × |") == 1


def test_a_document_without_marks_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text("# Figures\n", encoding="utf-8")
    with pytest.raises(LookupError, match="no place"):
        report.write(file, findings())
    assert file.read_text(encoding="utf-8") == "# Figures\n"
