"""Runs drawn in the terminal: a line a metric, with its values as a row of small bars."""

import math
import time
from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from maestro.watched import DRAWN, Board, Watched

MOST_RUNS: Final = 8
_BARS: Final = "▁▂▃▄▅▆▇█"
_COLOURS: Final = {"RUNNING": "cyan", "FINISHED": "green", "FAILED": "red", "KILLED": "yellow"}
_LEAST_METRICS: Final = 2


def drawn(board: Board, width: int, height: int) -> RenderableType:
    """The board in so many columns and lines."""
    runs = board.shown(MOST_RUNS)
    if not runs:
        return Text(board.trouble or "Nothing has run here yet.", style="dim")
    room = max(_LEAST_METRICS, (height - 2) // len(runs) - 2)
    parts: list[RenderableType] = []
    for run in runs:
        parts += [_head(run), _metrics(run, room, width)]
    left = len(board.runs) - len(runs)
    if left:
        parts.append(Text(f"and {left} more", style="dim"))
    if board.trouble:
        parts.append(Text(board.trouble, style="yellow"))
    return Group(*parts)


def sparkline(values: Sequence[float], width: int) -> str:
    """The last values as bars; what is no number is a gap, and one level for all a middle bar."""
    shown = list(values)[-width:]
    finite = [value for value in shown if math.isfinite(value)]
    if not finite:
        return " " * len(shown)
    least, most = min(finite), max(finite)
    # Halved first, as the span of the greatest doubles is none.
    span = most / 2 - least / 2
    bars = []
    for value in shown:
        if not math.isfinite(value):
            bars.append(" ")
        elif span == 0:
            bars.append(_BARS[3])
        else:
            bars.append(_BARS[min(7, int((value / 2 - least / 2) / span * 8))])
    return "".join(bars)


def _head(run: Watched) -> Text:
    status = "DELETED" if run.gone else run.status or "…"
    head = Text(run.name or run.run_id, style="bold")
    head.append(f"  {status}", style=_COLOURS.get(status, "dim"))
    head.append(f"  {_elapsed(run)}  {run.run_id}", style="dim")
    return head


def _metrics(run: Watched, room: int, width: int) -> RenderableType:
    if not run.metrics:
        return Text("  no metrics yet", style="dim")
    now = time.monotonic()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, max_width=max(10, width // 4), overflow="ellipsis")
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    bars = max(8, min(DRAWN, width - width // 4 - 40))
    for key in list(run.metrics)[:room]:
        metric = run.metrics[key]
        rate = metric.rate(now)
        table.add_row(
            Text(f"  {key}"),
            Text(sparkline(metric.values, bars), style="cyan"),
            f"{metric.value:.6g}",
            f"step {metric.step:,}" + (f"  {rate:.1f}/s" if rate else ""),
        )
    hidden = len(run.metrics) - room
    if hidden > 0:
        table.add_row(Text(f"  and {hidden} more", style="dim"))
    return table


def _elapsed(run: Watched) -> str:
    if run.start_time is None:
        return ""
    until = time.time() * 1_000 if run.end_time is None else run.end_time
    seconds = max(0, int((until - run.start_time) / 1_000))
    hours, rest = divmod(seconds, 3_600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
