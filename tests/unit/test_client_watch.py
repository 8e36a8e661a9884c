"""`maestro watch`: how it reads a stream, what it makes of events, and how it draws."""

import io
import json
import math
import threading
from collections.abc import Iterator
from typing import Any, Self

import pytest
import requests
from maestro.app import application
from maestro.connection import Connection, Refused
from maestro.drawing import drawn, sparkline
from maestro.events import Event, Following
from maestro.watched import Board
from rich.console import Console
from typer.testing import CliRunner

ENVIRONMENT = {"MAESTRO_URL": "http://platform", "MAESTRO_TOKEN": "token"}
RUN = "a" * 32


class Answer:
    """A stream that ends, or breaks off."""

    def __init__(self, *lines: str, fails: Exception | None = None) -> None:
        self._lines = lines
        self._fails = fails

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def iter_lines(self, **_: object) -> Iterator[bytes]:
        """Line by line."""
        for line in self._lines:
            yield line.encode()
        if self._fails is not None:
            raise self._fails


def snapshot(status: str = "RUNNING", version: int = 1, **metrics: float) -> dict[str, Any]:
    """The data of a snapshot of one run."""
    points = [{"key": k, "value": v, "timestamp": 1, "step": 0} for k, v in metrics.items()]
    run = {
        "run_id": RUN,
        "version": version,
        "experiment_id": "1",
        "name": "brave",
        "status": status,
    }
    rest = {"lifecycle_stage": "active", "start_time": 0, "end_time": None, "left_out": 0}
    return {"runs": [{**run, **rest, "metrics": points}]}


def metrics(*points: tuple[str, float, int]) -> dict[str, Any]:
    """The data of some points."""
    told = [
        {"run_id": RUN, "key": key, "value": value, "timestamp": 2, "step": step}
        for key, value, step in points
    ]
    return {"points": told}


def lines(event: str, event_id: str, data: Any) -> list[str]:
    """An event as it is sent."""
    return [f"event: {event}", f"id: {event_id}", f"data: {json.dumps(data)}", ""]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Any]]:
    """The ids that streams were asked to go on after, and what they answer."""
    ids: list[str] = []
    answers: list[Any] = []

    def stream(_: Connection, path: str, last_event_id: str = "") -> Any:
        assert path.endswith("/events")
        ids.append(last_event_id)
        if not answers:
            threading.Event().wait()  # Nothing comes any more, as long as the thread lives.
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(Connection, "stream", stream)
    monkeypatch.setattr("maestro.events.time.sleep", lambda _: None)
    return ids, answers


def test_a_stream_is_taken_up_where_it_broke_off(asked: tuple[list[str], list[Any]]) -> None:
    ids, answers = asked
    first = lines("snapshot", "m1.1", snapshot())
    answers += [
        Answer(": hello", "", *first, "id: m1.5", "", "retry: 20", ""),
        Refused("busy", 503),
        Answer(
            *lines("metrics", "m1.6", metrics(("loss", 1.0, 1)))[:3],
            fails=requests.ConnectionError("cut"),
        ),
        Refused("gone", 404),
    ]
    said: list[str] = []
    following = Following(Connection("http://x", "t"), "/runs/1/events", said.append)
    told: list[Event] = []
    with pytest.raises(Refused, match="gone"):
        told.extend(following.events())
    assert [event.event for event in told] == ["snapshot"], "half an event is none"
    assert ids[:3] == ["", "m1.5", "m1.5"]
    assert said == ["", "busy", "", "The connection was lost."]


def test_a_platform_that_is_not_there_is_said_at_once(asked: tuple[list[str], list[Any]]) -> None:
    asked[1].append(Refused("No platform answers", 0))
    ran = CliRunner().invoke(application(ENVIRONMENT), ["watch", RUN])
    assert isinstance(ran.exception, Refused)


@pytest.mark.parametrize("words", [[], [RUN, "--experiment", "1"]])
def test_runs_or_an_experiment_are_named(words: list[str]) -> None:
    ran = CliRunner().invoke(application(ENVIRONMENT), ["watch", *words])
    assert ran.exit_code == 2
    assert "--experiment" in ran.output


@pytest.mark.parametrize(("status", "code"), [("FINISHED", 0), ("FAILED", 1)])
def test_programs_get_a_line_an_event_until_the_run_has_ended(
    asked: tuple[list[str], list[Any]], status: str, code: int
) -> None:
    done = {**snapshot(status, 2)["runs"][0], "change": "changed"}
    asked[1].append(
        Answer(
            *lines("snapshot", "1", snapshot(loss=3)),
            *lines("metrics", "2", metrics(("loss", 2.5, 1))),
            *lines("run", "3", done),
        )
    )
    ran = CliRunner().invoke(application(ENVIRONMENT), ["--json", "watch", RUN])
    assert ran.exit_code == code, ran.output
    told = [json.loads(line) for line in ran.output.splitlines()]
    assert [one["event"] for one in told] == ["snapshot", "metrics", "run"]
    assert told[1]["id"] == "2"


def test_a_board_knows_the_latest_of_each_and_what_is_old() -> None:
    board = Board([RUN])
    assert not board.ended
    board.take(Event("snapshot", "1", snapshot(version=3, loss=3.0)))
    board.take(Event("metrics", "2", metrics(("loss", 3.0, 0), ("loss", 2.0, 5), ("acc", 0.5, 1))))
    run = board.runs[RUN]
    assert (run.metrics["loss"].value, run.metrics["loss"].step) == (2.0, 5)
    old = {**snapshot("FINISHED", 2)["runs"][0], "change": "changed"}
    board.take(Event("run", "3", old))
    assert not board.ended
    board.take(Event("run", "4", {**old, "version": 4, "status": "KILLED"}))
    assert (board.ended, board.failed) == (True, True)


def test_a_run_is_drawn_with_its_curves() -> None:
    board = Board()
    board.take(Event("snapshot", "1", snapshot(loss=4.0)))
    board.take(Event("metrics", "2", metrics(*[("loss", 4.0 - n, n) for n in range(1, 5)])))
    console = Console(width=100, height=20, record=True, file=io.StringIO())
    console.print(drawn(board, 100, 20))
    text = console.export_text()
    assert "brave" in text
    assert "RUNNING" in text
    assert "█▇▅▃▁" in text
    assert "step 4" in text


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([1.0, 1.0], "▄▄"),
        ([0.0, 1.0], "▁█"),
        ([0.0, math.nan, 1.0], "▁ █"),
        ([math.nan], " "),
        ([-1.79e308, 1.79e308], "▁█"),
    ],
)
def test_values_become_bars(values: list[float], bars: str) -> None:
    assert sparkline(values, 40) == bars
