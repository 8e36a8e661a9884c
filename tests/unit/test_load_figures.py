"""What the longer measurements tell: hit rates, slopes, growth, and a training told from a part."""

import argparse
import sys
from array import array

import pytest

from tests.load import bench, endurance, full, growth, report, training
from tests.load.caching import Found, counted
from tests.load.endurance import Endurance, published_rate, slope
from tests.load.findings import Findings
from tests.load.growth import Growth
from tests.load.sides import FAST, OURS, SEPARATE
from tests.load.tally import Tally
from tests.load.training import Training
from tests.unit.test_load_report import findings, result

PAGE = """\
# HELP maestro_tracking_runs_found_total Runs by where they were found.
maestro_tracking_runs_found_total{source="memory"} 80.0
maestro_tracking_runs_found_total{source="redis"} 10.0
maestro_tracking_runs_found_total{source="database"} 8.0
maestro_tracking_runs_found_total{source="unkept"} 2.0
maestro_tracking_runs_found_created{source="memory"} 1.7e+09
maestro_gateway_principals_total{source="memory"} 5000.0
maestro_search_cache_hits_total 3.0
maestro_search_cache_misses_total 7.0
process_cpu_seconds_total 12.5
"""


def test_hits_are_told_by_the_names_of_counters() -> None:
    found = counted(PAGE)
    assert found == Found(hits=93, misses=17)
    assert found.since(Found(hits=3, misses=7)).share == pytest.approx(0.9)
    assert counted("process_cpu_seconds_total 12.5\n").share is None


def test_a_slope_leaves_out_the_beginning() -> None:
    looks = [
        (float(at), {"a": 1000 * min(at, 100) + 10 * max(0, at - 100), "b": 5})
        for at in range(0, 301, 10)
    ]
    assert slope(looks) == pytest.approx(36_000)
    assert slope(looks, "b") == 0


def test_the_published_rate_is_read_from_the_page_that_the_bench_writes() -> None:
    page = report.markdown(findings()).replace("get-run", "log-metric")
    assert published_rate(page) == 1000
    with pytest.raises(LookupError):
        published_rate("| log-metric | another | 5 |")


def test_endurance_is_wrong_when_the_rate_was_not_held_or_points_are_missing() -> None:
    looks = [(at, {"services": 50_000_000}) for at in (0.0, 50.0, 100.0)]
    held = Endurance(1000, 920, 1, Tally(acknowledged=920, measured=920, seconds=1), list(looks))
    assert held.wrong == []
    assert "92% of 1,000/s" in endurance.sentence(held)
    assert endurance.table(held)[-1] == ["together", "50", "50", "50", "+0.0"]
    slow = Endurance(1000, 920, 1, Tally(measured=800, seconds=1), list(looks), missing=2)
    assert slow.wrong == ["2 points are missing", "800/s is below 90% of 1000/s"]


def test_growth_is_that_of_p95_from_the_first_size_to_the_last() -> None:
    grown = Growth()
    for size, latency in ((10_000, 0.01), (100_000, 0.025)):
        grown.add("search", size, Tally(latencies=array("d", [latency] * 20)))
    assert grown.wrong == []
    assert growth.table(grown)[1:] == [
        ["search", "10,000", "10.0 / 10.0", "10.0", ""],
        ["search", "100,000", "25.0 / 25.0", "25.0", "2.50 ×"],
    ]
    assert "growth.svg" in growth.chart(grown)
    grown.add("history", 10, Tally(wrong=1, example="404"))
    assert grown.wrong == ["history, 10: 1 failed, such as 404"]


def test_a_training_of_which_a_part_ran_says_so() -> None:
    found = [
        Training(OURS, "each", 1000, 2.0, 1000),
        Training(FAST, "each", 100, 1.0, 99),
        Training(OURS, "later", 1000, 1.0, 1000),
    ]
    rows = training.table(found, 1000)
    assert rows[1] == [OURS, "one by one", "2", "0", "1.0"]
    assert rows[2] == [FAST, "one by one", "10 (told from 100)", "1", "5.0"]
    assert rows[3][-1] == "1.0"


def test_everything_is_measured_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, argparse.Namespace]] = []

    def measure(given: argparse.Namespace) -> Findings:
        asked.append(("bench", given))
        apart = Findings("", "", {("get-run", SEPARATE, 16): result(SEPARATE, 16, 700)})
        return apart if given.separate else findings()

    def grow(given: argparse.Namespace, _: str) -> list[str]:
        asked.append(("growth", given))
        return []

    def train(given: argparse.Namespace, _: str) -> list[str]:
        asked.append(("training", given))
        return ["one point is missing"]

    monkeypatch.setattr(bench, "measured", measure)
    monkeypatch.setattr(growth, "measured", grow)
    monkeypatch.setattr(training, "measured", train)
    monkeypatch.setattr(sys, "argv", ["full"])
    assert full.main() == 1
    printed = capsys.readouterr().out
    assert "FAILED: one point is missing" in printed
    assert f"{SEPARATE}, 16 clients" in printed
    assert [name for name, _ in asked] == ["bench", "bench", "growth", "training"]
    whole, apart = (given for name, given in asked if name == "bench")
    assert (whole.clients, whole.rounds, whole.sides) == ([16, 64], 3, list(bench.SIDES))
    assert (apart.separate, apart.sides) == (True, ["maestro"])
    assert not any(given.write for _, given in asked)
