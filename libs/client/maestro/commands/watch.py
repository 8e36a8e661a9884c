"""`maestro watch`: runs followed while they train."""

import queue
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.live import Live

from maestro.connection import Connection, Refused
from maestro.drawing import MOST_RUNS, drawn
from maestro.events import Event, Following
from maestro.session import Session, session
from maestro.watched import DRAWN, Board

_FRAME_SECONDS: Final = 0.25
# What was logged just before the end may come just after it.
_LAST_SECONDS: Final = 1.5
_RECALLED_METRICS: Final = 6
_HISTORY: Final = "/api/2.0/mlflow/metrics/get-history-bulk-interval"

Heard = queue.Queue[Event | Refused | str]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("watch")(watch)


def watch(
    context: typer.Context,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", help="The ids of the runs.")
    ] = None,
    experiment: Annotated[
        str, typer.Option(help="Follow the runs of this experiment, those to come too.")
    ] = "",
    stay: Annotated[
        bool, typer.Option("--stay", help="Go on after all runs have ended; Ctrl-C ends it.")
    ] = False,
) -> None:
    """Follow runs live: status, and each metric's curve, last value, step and rate.

    It ends when all runs have ended: with 0 where all went well, with 1 where one failed or was
    killed. A lost connection is taken up again, and nothing is missed. With `maestro --json watch`
    each event is one line of JSON: {"event": …, "id": …, "data": …}.
    """
    given = runs or []
    if bool(given) == bool(experiment):
        raise typer.BadParameter("name one or more runs, or an --experiment")
    current = session(context)
    paths = [f"/runs/{run}/events" for run in given] or [f"/experiments/{experiment}/events"]
    heard: Heard = queue.Queue()
    for path in paths:
        _listen(current.connection, path, heard)
    board = Board(given)
    try:
        _follow(current, board, heard, stay=stay)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(1 if board.failed else 0)


def _listen(connection: Connection, path: str, heard: Heard) -> None:
    def read() -> None:
        try:
            for event in Following(connection, path, heard.put).events():
                heard.put(event)
        except Refused as refused:
            heard.put(refused)

    threading.Thread(target=read, daemon=True).start()


def _follow(current: Session, board: Board, heard: Heard, *, stay: bool) -> None:
    if current.out.as_json:
        for event in _events(board, heard, stay=stay):
            if event is not None:
                current.out.line({"event": event.event, "id": event.id, "data": event.data})
        return
    console = Console()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as picture:
        shown = 0.0
        for event in _events(board, heard, stay=stay):
            if event is not None and event.event == "snapshot":
                _recall(current.connection, board)
            now = time.monotonic()
            if now - shown >= _FRAME_SECONDS:
                shown = now
                picture.update(drawn(board, console.width, console.height), refresh=True)
        picture.update(drawn(board, console.width, console.height), refresh=True)


def _events(board: Board, heard: Heard, *, stay: bool) -> Iterator[Event | None]:
    """Each event, and None where none came for a moment, until all has ended."""
    quiet_since = time.monotonic()
    while True:
        try:
            came = heard.get(timeout=_FRAME_SECONDS)
        except queue.Empty:
            if board.ended and not stay and time.monotonic() - quiet_since > _LAST_SECONDS:
                return
            yield None
            continue
        if isinstance(came, Refused):
            raise came
        if isinstance(came, str):
            board.trouble = came
            continue
        quiet_since = time.monotonic()
        board.take(came)
        yield came


def _recall(connection: Connection, board: Board) -> None:
    """Ask what the metrics were before: a curve that begins now tells little."""
    runs = [run.run_id for run in board.shown(MOST_RUNS)]
    keys = {key: None for run_id in runs for key in list(board.runs[run_id].metrics)}
    for key in list(keys)[:_RECALLED_METRICS]:
        query = {"metric_key": key, "max_results": DRAWN}
        ids = "&".join(f"run_ids={run_id}" for run_id in runs)
        try:
            found = connection.ask_path("GET", f"{_HISTORY}?{ids}", query=query)
        except Refused:
            return
        for run_id in runs:
            points = [p for p in found.get("metrics", []) if p["run_id"] == run_id]
            if points:
                board.recall(run_id, key, [float(point["value"]) for point in points])
