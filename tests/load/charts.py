"""Charts as SVG text: the same input gives the same bytes, readable on light and on dark pages."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from tests.load.findings import Findings

FOLDER: Final = Path(__file__).parents[2] / "docs" / "charts"
# By place in the legend: told apart by lightness too.
_COLOURS: Final = ("#2f6fde", "#8a8f98", "#d9822b", "#1f9d76", "#b05fc9")
_STYLE: Final = """<style>
text { font: 12px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.axis { stroke: #d0d7de; stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .axis { stroke: #3d444d } }
</style>"""
_WIDTH: Final = 760
_LEFT: Final = 170
_RIGHT: Final = 90
_BAR: Final = 14
_GAP: Final = 14
_TOP: Final = 64
# Plot of lines: its height, and how far it stands from the left.
_HEIGHT: Final = 260
_MARGIN: Final = 70
Groups = Mapping[str, Mapping[str, float]]
Points = Mapping[str, Sequence[tuple[float, float]]]


def bars(title: str, unit: str, groups: Groups) -> str:
    """Horizontal bars on a logarithmic scale: a group of series for each label."""
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    values = [value for group in groups.values() for value in group.values() if value > 0]
    low, high = _decades(values)
    room = _WIDTH - _LEFT - _RIGHT
    body, y = [], _TOP
    for label, group in groups.items():
        middle = y + _BAR * len(group) / 2 + 4
        body.append(_text(_LEFT - 8, middle, label, "end"))
        for name, value in group.items():
            length = room * (math.log10(max(value, low)) - math.log10(low)) / _span(low, high)
            colour = _COLOURS[series.index(name) % len(_COLOURS)]
            body.append(
                f'<rect x="{_LEFT}" y="{y}" width="{max(length, 1):.1f}" height="{_BAR - 2}"'
                f' fill="{colour}"/>'
            )
            body.append(_text(_LEFT + max(length, 1) + 5, y + _BAR - 4, _figure(value)))
            y += _BAR
        y += _GAP
    grid = []
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x = _LEFT + room * (power - math.log10(low)) / _span(low, high)
        grid.append(f'<line class="axis" x1="{x:.1f}" y1="{_TOP - 6}" x2="{x:.1f}" y2="{y}"/>')
        grid.append(_text(x, y + 14, _figure(10.0**power), "middle"))
    return _svg(title, unit, series, [*grid, *body], y + 24)


def lines(title: str, unit: str, points: Points) -> str:
    """Lines over a logarithmic axis of sizes, their values from 0 on."""
    xs = [x for line in points.values() for x, _ in line]
    low, high = _decades(xs)
    most = _rounded(max((y for line in points.values() for _, y in line), default=1.0))
    room = _WIDTH - _MARGIN - _RIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            _MARGIN + room * (math.log10(x) - math.log10(low)) / _span(low, high),
            _TOP + _HEIGHT * (1 - y / most),
        )

    body = []
    for step in range(5):
        _, y = at(low, most * step / 4)
        body.append(
            f'<line class="axis" x1="{_MARGIN}" y1="{y:.1f}" x2="{_MARGIN + room}" y2="{y:.1f}"/>'
        )
        body.append(_text(_MARGIN - 8, y + 4, _figure(most * step / 4), "end"))
    body += [_text(at(x, 0)[0], _TOP + _HEIGHT + 18, _figure(x), "middle") for x in sorted(set(xs))]
    for number, line in enumerate(points.values()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [at(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        body.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
    return _svg(title, unit, list(points), body, _TOP + _HEIGHT + 32)


def _svg(title: str, unit: str, series: Sequence[str], body: Sequence[str], height: int) -> str:
    legend, x = [], 12
    for number, name in enumerate(series):
        colour = _COLOURS[number % len(_COLOURS)]
        legend.append(f'<rect x="{x}" y="36" width="11" height="11" fill="{colour}"/>')
        legend.append(_text(x + 16, 46, name))
        x += 40 + 7 * len(name)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>',
            f"<title>{escape(title)}</title>",
            _STYLE,
            f'<text class="title" x="12" y="22">{escape(title)}</text>',
            _text(_WIDTH - 12, 22, unit, "end"),
            *legend,
            *body,
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _figure(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g} M"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _decades(values: Sequence[float]) -> tuple[float, float]:
    """The powers of ten around the values."""
    if not values:
        return 1.0, 10.0
    low = math.floor(math.log10(min(values)))
    return 10.0**low, 10.0 ** max(low + 1, math.ceil(math.log10(max(values))))


def _span(low: float, high: float) -> float:
    return math.log10(high) - math.log10(low)


def _rounded(value: float) -> float:
    """The next of 1, 2, 4, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 2, 4, 10) if step * power >= value)


def throughputs(found: Findings) -> dict[str, str]:
    """A chart for each number of clients, by its file's name."""
    made = {}
    for clients in found.clients:
        groups = {
            operation: {
                side: found.results[operation, side, clients].rate
                for side in found.sides
                if (operation, side, clients) in found.results
            }
            for operation in found.operations
        }
        made[f"throughput-{clients}.svg"] = bars(
            f"Requests a second, {clients} clients", "logarithmic scale", groups
        )
    return made


def save(charts: Mapping[str, str], folder: Path = FOLDER) -> list[str]:
    """Write the files; gives what shows them in a page beside the folder."""
    folder.mkdir(exist_ok=True)
    shown = []
    for name, text in charts.items():
        (folder / name).write_text(text, encoding="utf-8")
        shown.append(f"![{_title(text)}]({folder.name}/{name})")
    return shown


def _title(text: str) -> str:
    return text.split("<title>", 1)[1].split("</title>", 1)[0]
