"""`make bench-full`: everything that is measured, one after the other, in about an hour.

The bench with 16 and with 64 clients, the platform once more with a process for each service, how
cost grows, and a training by the stock client. Ends with 1 where one of them does.
"""

import argparse
import sys

from tests.load import bench, charts, growth, report, training
from tests.load.findings import Findings, verdict

CLIENTS = ("16", "64")


def main() -> int:
    """Measure all; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.full", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="short and small: to see that it works"
    )
    parser.add_argument("--floor", type=float, default=0.0, help="fail below this multiple")
    parser.add_argument("--write", action="store_true", help="put the results into the docs")
    asked = parser.parse_args()
    found = benched(quick=asked.quick)
    bench.say(f"\n{report.plain(found)}")
    if asked.write:
        shown = charts.save(charts.throughputs(found))
        report.write(bench.PERFORMANCE, found, shown)
    wrong = list(verdict(found, asked.floor))
    small = ["--runs", "1000", "2000", "--points", "100000", "--longest", "10000", "--seconds", "1"]
    part = growth.arguments().parse_args(
        [*(small if asked.quick else []), *(["--write"] if asked.write else [])]
    )
    wrong += growth.measured(part, "make bench-full")
    few = ["--calls", "500", "--part", "100"]
    part = training.arguments().parse_args(
        [*(few if asked.quick else []), *(["--write"] if asked.write else [])]
    )
    wrong += training.measured(part, "make bench-full")
    return bench.judged(wrong)


def benched(*, quick: bool) -> Findings:
    """The bench of all sides in one process each, and of the platform's services apart."""
    words = [
        "--clients",
        *CLIENTS,
        "--seconds",
        "5",
        "--megabytes",
        "1024",
        *(["--quick"] if quick else []),
    ]
    whole = bench.measured(bench.arguments().parse_args(words))
    alone = [*words, "--sides", "maestro", "--separate"]
    separate = bench.measured(bench.arguments().parse_args(alone))
    whole.command = bench.command_words("make bench-full")
    return whole.with_those_of(separate)


if __name__ == "__main__":
    sys.exit(main())
