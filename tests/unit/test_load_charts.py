"""Charts are well-formed SVG, the same for the same figures, as long as the figures say."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.load import charts

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ET.Element:
    """The elements of a chart that was made here."""
    return ET.fromstring(text)  # noqa: S314


def test_bars_are_as_long_as_the_logarithm_of_their_value() -> None:
    text = charts.bars(
        "A <title>", "s", {"one": {"us": 1000.0, "them": 10.0}, "two": {"us": 100.0}}
    )
    root = parsed(text)
    rects = [rect for rect in root.iter(f"{SVG}rect") if float(rect.attrib["y"]) > 50]
    widths = [float(rect.attrib["width"]) for rect in rects]
    # The scale begins at 10, where a bar is a line.
    assert widths[0] == pytest.approx(2 * widths[2], abs=0.2)
    assert widths[1] == 1
    assert rects[0].attrib["fill"] == rects[2].attrib["fill"] != rects[1].attrib["fill"]
    assert root.findtext(f"{SVG}title") == "A <title>"


def test_lines_go_from_left_to_right_and_up_with_their_values() -> None:
    text = charts.lines("P95", "ms", {"a": [(1e4, 10.0), (1e5, 20.0), (1e6, 40.0)]})
    (line,) = parsed(text).iter(f"{SVG}polyline")
    places = [tuple(map(float, place.split(","))) for place in line.attrib["points"].split(" ")]
    (x1, y1), (x2, y2), (x3, y3) = places
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y2 - y3 == pytest.approx(2 * (y1 - y2), abs=0.2)


def test_dark_pages_are_thought_of_and_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    groups = {"one": {"us": 3.0}}
    text = charts.bars("Speed", "s", groups)
    assert "prefers-color-scheme: dark" in text
    assert text == charts.bars("Speed", "s", groups)
    folder = tmp_path / "charts"
    assert charts.save({"speed.svg": text}, folder) == ["![Speed](charts/speed.svg)"]
    assert (folder / "speed.svg").read_text(encoding="utf-8") == text
