"""`maestro workspaces`: places for work that is kept apart, by MLflow's own API."""

from typing import Annotated, Literal

import typer

from maestro.session import session

PATH = "/api/3.0/mlflow/workspaces"
Name = Annotated[str, typer.Argument(help="The workspace's name.")]
Mode = Literal["RESTRICT", "SET_DEFAULT", "CASCADE"]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_all)
    app.command("create")(create)
    app.command("describe")(describe)
    app.command("delete")(delete)


def list_all(context: typer.Context) -> None:
    """The workspaces that you may enter."""
    current = session(context)
    rows = current.connection.ask_path("GET", PATH).get("workspaces", [])
    current.out.rows(rows, ("name", "description"))


def create(
    context: typer.Context,
    name: Name,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a workspace."""
    current = session(context)
    body = {"name": name} | ({"description": description} if description else {})
    made = current.connection.ask_path("POST", PATH, body=body)
    current.out.thing(made, f"The workspace {name} is there; MLFLOW_WORKSPACE={name} enters it.")


def describe(
    context: typer.Context, name: Name, description: Annotated[str, typer.Argument()]
) -> None:
    """Give a workspace another description."""
    current = session(context)
    body = {"description": description}
    changed = current.connection.ask_path("PATCH", f"{PATH}/{name}", body=body)
    current.out.thing(changed, f"{name} is described.")


def delete(
    context: typer.Context,
    name: Name,
    mode: Annotated[
        Mode,
        typer.Option(
            help="RESTRICT refuses while it holds anything, SET_DEFAULT moves all that it holds to"
            " the default workspace, CASCADE deletes it."
        ),
    ] = "RESTRICT",
) -> None:
    """Delete a workspace."""
    current = session(context)
    current.connection.ask_path("DELETE", f"{PATH}/{name}", query={"mode": mode})
    current.out.say(f"The workspace {name} is gone, or going: what it holds follows.")
