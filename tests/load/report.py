"""The bench's result as tables: for the terminal and, between two marks, for docs/performance.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.load.rounds import Result
from tests.load.sides import OURS, THEIRS
from tests.load.tally import percentile

BEGIN: Final = "<!-- bench: written by `make bench ARGS=--write` -->"
END: Final = "<!-- /bench -->"
Table = list[list[str]]


@dataclass
class Findings:
    """All that one run of the bench found out; memory in bytes by side, moment and group."""

    command: str
    machine: str
    results: Mapping[tuple[str, str], Result]
    rows: Mapping[tuple[str, str], tuple[int, int]]
    starts: Mapping[str, Sequence[float]]
    memory: Mapping[tuple[str, str], Mapping[str, int]]
    visible: Sequence[float] = field(default_factory=list)

    @property
    def operations(self) -> list[str]:
        """The measured operations in their order."""
        return list(dict.fromkeys(operation for operation, _ in self.results))

    def ratio(self, operation: str) -> float:
        """How many times the peer's throughput ours is."""
        theirs = self.results[operation, THEIRS].rate
        return self.results[operation, OURS].rate / theirs if theirs else float("inf")

    @property
    def lost(self) -> int:
        """Rows that were acknowledged and are not there."""
        return sum(max(0, expected - found) for expected, found in self.rows.values())


def throughput(found: Findings) -> Table:
    """One line an operation, the sides beside each other."""
    sides = list(dict.fromkeys(side for _, side in found.results))
    head = [
        f"{side}: {what}" for side in sides for what in ("requests/s", "P50 / P99 ms", "failed")
    ]
    both = len(sides) == 2
    table = [["operation", *(["ratio"] if both else []), *head]]
    for operation in found.operations:
        line = [operation, *([f"{found.ratio(operation):.1f} ×"] if both else [])]
        for side in sides:
            result = found.results[operation, side]
            line += [rate(result.rate), latency(result), str(result.failed)]
        table.append(line)
    return table


def rate(value: float) -> str:
    """Requests a second, three figures and more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def latency(result: Result) -> str:
    """P50 and P99 in milliseconds."""
    return f"{result.milliseconds(0.5):.1f} / {result.milliseconds(0.99):.1f}"


def rows(found: Findings) -> Table:
    """Acknowledged against committed rows."""
    table = [["rows written by", "side", "acknowledged", "committed", "lost"]]
    for (operation, side), (expected, seen) in found.rows.items():
        lost = str(max(0, expected - seen))
        table.append([operation, side, f"{expected:,}", f"{seen:,}", lost])
    return table


def processor(found: Findings) -> Table:
    """Processor time for one request, by where it is spent."""
    groups = list(dict.fromkeys(name for r in found.results.values() for name in r.spent))
    table = [["processor ms a request", "side", *groups]]
    for (operation, side), result in found.results.items():
        cells = [f"{result.spent_each(g):.2f}" if g in result.spent else "" for g in groups]
        table.append([operation, side, *cells])
    return table


def memory(found: Findings) -> Table:
    """PSS in MB by side and moment."""
    table = [["memory, MB (PSS)", "when", "together", "of which"]]
    for (side, moment), held in found.memory.items():
        parts = ", ".join(f"{name} {mega(size)}" for name, size in held.items())
        table.append([side, moment, mega(sum(held.values())), parts])
    return table


def mega(size: int) -> str:
    """Bytes as MB of 10⁶."""
    return f"{size / 1e6:,.0f}"


def sentences(found: Findings) -> list[str]:
    """What needs no table."""
    said = []
    for side, starts in found.starts.items():
        words = ["first"] if len(starts) == 1 else ["first", "again"]
        told = ", ".join(f"{word} {took:.1f} s" for word, took in zip(words, starts, strict=True))
        said.append(f"Start to first answer, {side}: {told}.")
    if found.visible:
        said.append(
            f"A new run stands in the registry's read model P50"
            f" {percentile(found.visible, 0.5) * 1000:.0f} ms, P95"
            f" {percentile(found.visible, 0.95) * 1000:.0f} ms after its answer"
            f" ({len(found.visible)} runs, idle)."
        )
    return said


def tables(found: Findings) -> list[Table]:
    """All tables in their order."""
    return [throughput(found), rows(found), processor(found), memory(found)]


def plain(found: Findings) -> str:
    """For a terminal."""
    parts = [_columns(table) for table in tables(found)]
    return "\n\n".join([found.machine, *parts, "\n".join(sentences(found))])


def _columns(table: Table) -> str:
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table]
    return "\n".join(line.rstrip() for line in lines)


def markdown(found: Findings) -> str:
    """For docs/performance.md."""
    parts = [f"`{found.command}` on {found.machine}:", *map(_pipes, tables(found))]
    return "\n\n".join([*parts, "\n".join(f"- {said}" for said in sentences(found))])


def _pipes(table: Table) -> str:
    head, *body = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([head, f"|{'---|' * len(table[0])}", *body])


def write(file: Path, found: Findings) -> None:
    """Put the result between the marks of `file`; raises ValueError where they are not."""
    text = file.read_text(encoding="utf-8")
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{file} has no place for the result: {BEGIN} … {END}")
    file.write_text(f"{before}{BEGIN}\n\n{markdown(found)}\n\n{END}{after}", encoding="utf-8")
