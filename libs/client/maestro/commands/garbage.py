"""`maestro gc`: what is past its time, shown or removed for good."""

from typing import Annotated

import typer

from maestro.session import session


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gc")(collect)


def collect(
    context: typer.Context,
    now: Annotated[
        bool,
        typer.Option("--now/--dry-run", help="Remove it for good, or show what would be removed."),
    ] = False,
    older_than: Annotated[
        int | None,
        typer.Option(
            help="What was deleted so many days ago, 0 for all of it, whatever the rules say."
        ),
    ] = None,
) -> None:
    """Remove deleted runs, logged models and experiments of the workspace past their time.

    What a registered model's version needs stays.
    """
    current = session(context)
    if now:
        body = {"older_than_days": older_than}
        current.out.thing(current.connection.ask("POST", "/garbage/collect", body=body))
    else:
        query = {"older_than_days": older_than}
        current.out.thing(current.connection.ask("GET", "/garbage", query=query))
