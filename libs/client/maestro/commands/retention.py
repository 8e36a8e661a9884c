"""`maestro retention`: how long an experiment keeps what is deleted."""

from typing import Annotated

import typer

from maestro.session import session

Experiment = Annotated[str, typer.Argument(help="The experiment's id.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("show")(show)
    app.command("set")(set_rule)
    app.command("clear")(clear)


def show(context: typer.Context, experiment: Experiment) -> None:
    """The rule that an experiment goes by."""
    current = session(context)
    current.out.thing(current.connection.ask("GET", _path(experiment)))


def set_rule(
    context: typer.Context,
    experiment: Experiment,
    deleted_days: Annotated[
        int, typer.Option(help="How long deleted things are kept; 0: for ever.")
    ],
    finished_days: Annotated[
        int | None,
        typer.Option(help="After how many days finished runs are put aside by themselves."),
    ] = None,
    archive_days: Annotated[
        int | None,
        typer.Option(
            help="After how many days the points of ended runs are archived; 0: never. Without it: as"
            " the platform does."
        ),
    ] = None,
) -> None:
    """Give an experiment a rule of its own."""
    current = session(context)
    body = {
        "deleted_days": deleted_days,
        "finished_days": finished_days,
        "archive_days": archive_days,
    }
    current.out.thing(current.connection.ask("PUT", _path(experiment), body=body))


def clear(context: typer.Context, experiment: Experiment) -> None:
    """Let an experiment go by the platform's rule."""
    current = session(context)
    current.out.thing(current.connection.ask("DELETE", _path(experiment)))


def _path(experiment: str) -> str:
    return f"/experiments/{experiment}/retention"
