"""`maestro runs`: a run that continues another from a step."""

from typing import Annotated

import typer

from maestro.session import session


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fork")(fork)


def fork(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="The id of the run to continue.")],
    step: Annotated[
        int | None, typer.Option(help="The last step to take over; by default the last one logged.")
    ] = None,
    name: Annotated[str, typer.Option(help="What the new run is called.")] = "",
) -> None:
    """Start a run that continues another; its history up to the step is the other's."""
    current = session(context)
    body: dict[str, object] = {"run_name": name}
    if step is not None:
        body["step"] = step
    made = current.connection.ask("POST", f"/runs/{run}/fork", body=body)
    current.out.thing(
        made,
        f"{made['run_id']} continues {made['forked_from']} after step {made['forked_at_step']};"
        f" MLFLOW_RUN_ID={made['run_id']} logs into it.",
    )
