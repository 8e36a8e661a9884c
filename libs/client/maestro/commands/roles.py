"""`maestro roles`: the built-in ones, and roles of one's own."""

from typing import Annotated

import typer

from maestro.session import session

Name = Annotated[str, typer.Argument(help="The role's name.")]
Permissions = Annotated[list[str], typer.Argument(help="What it holds; `permissions` lists all.")]
Description = Annotated[str, typer.Option(help="What it is for.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_all)
    app.command("show")(show)
    app.command("permissions")(permissions)
    app.command("define")(define)
    app.command("change")(change)
    app.command("delete")(delete)


def list_all(context: typer.Context) -> None:
    """All roles."""
    current = session(context)
    rows = current.connection.ask("GET", "/roles")["roles"]
    current.out.rows(rows, ("name", "built_in", "description", "permissions"))


def show(context: typer.Context, name: Name) -> None:
    """One role with its permissions."""
    current = session(context)
    current.out.thing(current.connection.ask("GET", f"/roles/{name}"))


def permissions(context: typer.Context) -> None:
    """All permissions, and what each lets one do."""
    current = session(context)
    rows = current.connection.ask("GET", "/permissions")["permissions"]
    current.out.rows(rows, ("name", "kind", "does"))


def define(
    context: typer.Context, name: Name, permissions: Permissions, description: Description = ""
) -> None:
    """Define a role of permissions that you hold yourself."""
    current = session(context)
    body = {"name": name, "permissions": permissions, "description": description}
    current.out.thing(current.connection.ask("POST", "/roles", body=body), f"{name} is defined.")


def change(
    context: typer.Context, name: Name, permissions: Permissions, description: Description = ""
) -> None:
    """Give a role other permissions; whoever has it has them at once."""
    current = session(context)
    body = {"permissions": permissions, "description": description}
    changed = current.connection.ask("PUT", f"/roles/{name}", body=body)
    current.out.thing(changed, f"{name} is changed.")


def delete(context: typer.Context, name: Name) -> None:
    """Delete a role that nobody has."""
    current = session(context)
    current.connection.ask("DELETE", f"/roles/{name}")
    current.out.say(f"{name} is gone.")
