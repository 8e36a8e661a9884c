"""The bench's result as tables: for the terminal and, between two marks, for docs/performance.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.load.caching import Found
from tests.load.findings import Findings
from tests.load.placing import place
from tests.load.rounds import Result
from tests.load.sides import THEIRS
from tests.load.tally import Tally, percentile

MARK: Final = "bench"
NOTHING: Final = "–"
Table = list[list[str]]


def multiples(found: Findings) -> Table:
    """How many times the throughput of `mlflow server` the others have, by operation."""
    columns = [
        (side, clients) for side in found.sides if side != THEIRS for clients in found.clients
    ]
    table = [[f"× {THEIRS}", *(f"{side}, {clients} clients" for side, clients in columns)]]
    for operation in found.operations:
        cells = [found.multiple(operation, *column) for column in columns]
        if any(cell is not None for cell in cells):
            shown = [NOTHING if cell is None else f"{cell:.1f} ×" for cell in cells]
            table.append([operation, *shown])
    return table


def throughput(found: Findings) -> Table:
    """One line an operation and side, the numbers of clients beside each other."""
    what = ("requests/s", "P50 / P99 ms", "failed")
    head = [f"{word}, {clients} clients" for clients in found.clients for word in what]
    table = [["operation", "side", *head]]
    for operation in found.operations:
        for side in found.sides:
            line: list[str] = []
            for clients in found.clients:
                line += _cells(found.results.get((operation, side, clients)))
            if any(cell != NOTHING for cell in line):
                table.append([operation, side, *line])
    return table


def _cells(result: Result | None) -> list[str]:
    if result is None:
        return [NOTHING] * 3
    return [rate(result.rate), latency(result), str(result.failed)]


def rate(value: float) -> str:
    """Requests a second, three figures and more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def latency(result: Result | Tally) -> str:
    """P50 and P99 in milliseconds."""
    return f"{result.milliseconds(0.5):.1f} / {result.milliseconds(0.99):.1f}"


def hit_rate(found: Found) -> str:
    """What part of the questions caches had the answer to."""
    return NOTHING if found.share is None else f"{100 * found.share:.1f} %"


def temperatures(found: Findings) -> Table:
    """get-run for the first time and later, and what caches had."""
    clients = found.clients[0]
    head = [
        f"{when}: {what}" for when in ("cold", "warm") for what in ("requests/s", "P50 / P99 ms")
    ]
    table = [["get-run", *head, "hit rate"]]
    for side, cold in found.cold.items():
        warm = found.results.get(("get-run", side, clients))
        if warm is not None:
            known = [rate(cold.rate), latency(cold), rate(warm.rate), latency(warm)]
            table.append([side, *known, hit_rate(warm.found)])
    return table


def absolutes(found: Findings) -> Table:
    """What is no multiple of anything."""
    table = [["figure", "side", "value"]]
    for side, size in found.bytes_each.items():
        table.append(["bytes a metric point on disk, indexes included", side, f"{size:.0f}"])
    for side, mixed in found.mixed.items():
        tally = mixed.tally
        ends = (0.95, 0.99)
        latencies = " / ".join(f"{tally.milliseconds(share):.1f}" for share in ends)
        words = f"mixed load of {mixed.rate:,.0f} requests/s: P95 / P99 ms, failed, cache hit rate"
        said = f"{latencies}, {tally.failed}, {hit_rate(mixed.found)}"
        table.append([words, side, said])
    for side, crowd in found.crowds.items():
        words = f"{crowd.opened:,} kept-alive connections, {crowd.active:,} of them active: errors"
        table.append([words, side, f"{crowd.errors} of {crowd.tally.acknowledged:,} requests"])
    return table


def artifacts(found: Findings) -> Table:
    """A large artifact up and down."""
    table = [["artifact", "side", "up, MB/s", "down, MB/s", "memory grown by, MB"]]
    for side, carried in found.carried.items():
        cells = [f"{carried.rate(seconds):,.0f}" for seconds in (carried.up, carried.down)]
        words = f"{carried.megabytes:,} MB"
        table.append([words, side, *cells, carried.wrong or mega(carried.grown)])
    return table


def rows(found: Findings) -> Table:
    """Acknowledged against committed rows."""
    table = [["rows written by", "side", "acknowledged", "committed", "lost"]]
    for (where, side), (expected, seen) in found.rows.items():
        lost = str(max(0, expected - seen))
        table.append([where, side, f"{expected:,}", f"{seen:,}", lost])
    return table


def processor(found: Findings) -> Table:
    """Processor time for one request, by where it is spent."""
    groups = list(dict.fromkeys(name for r in found.results.values() for name in r.spent))
    table = [["processor ms a request", "side", "clients", *groups]]
    for (operation, side, clients), result in found.results.items():
        cells = [f"{result.spent_each(g):.2f}" if g in result.spent else "" for g in groups]
        table.append([operation, side, str(clients), *cells])
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
    made = (multiples, throughput, temperatures, artifacts, absolutes, rows, processor, memory)
    return [table for make in made if len(table := make(found)) > 1]


def plain(found: Findings) -> str:
    """For a terminal."""
    parts = [_columns(table) for table in tables(found)]
    return "\n\n".join([found.machine, *parts, "\n".join(sentences(found))])


def _columns(table: Table) -> str:
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in table]
    return "\n".join(line.rstrip() for line in lines)


def markdown(found: Findings, pictures: Sequence[str] = ()) -> str:
    """For docs/performance.md."""
    parts = [f"`{found.command}` on {found.machine}:", *pictures, *map(pipes, tables(found))]
    return "\n\n".join([*parts, "\n".join(f"- {said}" for said in sentences(found))])


def pipes(table: Table) -> str:
    """A table in Markdown."""
    head, *body = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([head, f"|{'---|' * len(table[0])}", *body])


def write(page: Path, found: Findings, pictures: Sequence[str] = ()) -> None:
    """Put the result between the marks of `page`; raises LookupError where they are not."""
    place(page, MARK, markdown(found, pictures).split("\n"))
