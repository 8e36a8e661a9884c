"""`maestro service-accounts`: accounts for programs, and their tokens."""

from typing import Annotated

import typer

from maestro.commands.tokens import Days, Networks, Scopes, show_secret, token_body
from maestro.pages import all_of
from maestro.session import session

COLUMNS = ("login", "display_name", "role", "status", "last_used_at", "subject")
Name = Annotated[str, typer.Argument(help="The account's name within the tenant.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("create")(create)
    app.command("list")(list_all)
    app.command("token")(token)
    app.command("suspend")(suspend)
    app.command("resume")(resume)
    app.command("remove")(remove)


def create(
    context: typer.Context,
    name: Name,
    role: Annotated[str, typer.Option(help="The role, or `none` for grants alone.")] = "none",
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
) -> None:
    """Make a service account."""
    current = session(context)
    body = {"name": name, "role": None if role == "none" else role, "description": description}
    made = current.connection.ask("POST", "/service-accounts", body=body)
    current.out.thing(made, f"{made['login']} is there, as {made['subject']}.")


def list_all(context: typer.Context) -> None:
    """All service accounts."""
    current = session(context)
    rows = list(all_of(current.connection, "/service-accounts", "members"))
    current.out.rows(rows, COLUMNS)


def token(
    context: typer.Context,
    name: Name,
    label: Annotated[str, typer.Option("--name", help="What the token is for.")] = "token",
    days: Days = None,
    scope: Scopes = None,
    network: Networks = None,
) -> None:
    """Make a token for a service account; its secret is shown this once."""
    current = session(context)
    body = token_body(label, days, scope, network)
    show_secret(
        current, current.connection.ask("POST", f"/service-accounts/{name}/tokens", body=body)
    )


def suspend(context: typer.Context, name: Name) -> None:
    """Let a service account do nothing until it is resumed."""
    _post(context, name, "suspend", "is suspended")


def resume(context: typer.Context, name: Name) -> None:
    """Let a suspended service account act again."""
    _post(context, name, "resume", "is active")


def remove(context: typer.Context, name: Name) -> None:
    """Remove a service account with its tokens and grants."""
    current = session(context)
    current.connection.ask("DELETE", f"/service-accounts/{name}")
    current.out.say(f"The service account {name} is gone.")


def _post(context: typer.Context, name: str, verb: str, now: str) -> None:
    current = session(context)
    changed = current.connection.ask("POST", f"/service-accounts/{name}/{verb}")
    current.out.thing(changed, f"{changed['login']} {now}.")
