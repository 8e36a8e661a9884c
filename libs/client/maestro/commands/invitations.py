"""`maestro invitations`: invite people, and accept an invitation."""

from typing import Annotated

import typer

from maestro.connection import Connection
from maestro.pages import all_of
from maestro.session import session

COLUMNS = ("login", "role", "status", "expires_at", "made_by", "id")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("create")(create)
    app.command("list")(list_all)
    app.command("revoke")(revoke)
    app.command("accept")(accept)


def create(
    context: typer.Context,
    login: Annotated[str, typer.Argument(help="Whom: an address of e-mail or the like.")],
    role: Annotated[str, typer.Option(help="The role, or `none` for grants alone.")],
    days: Annotated[int, typer.Option(help="Ends after so many days.")] = 7,
) -> None:
    """Invite somebody; prints the code with which they accept."""
    current = session(context)
    body = {"login": login, "role": None if role == "none" else role, "expires_in_days": days}
    made = current.connection.ask("POST", "/invitations", body=body)
    current.out.secret(
        made,
        made["code"],
        f"{login} accepts with `maestro invitations accept` and this code, shown this once:",
    )


def list_all(context: typer.Context) -> None:
    """All invitations, those that ended too."""
    current = session(context)
    current.out.rows(list(all_of(current.connection, "/invitations", "invitations")), COLUMNS)


def revoke(
    context: typer.Context, invitation: Annotated[str, typer.Argument(help="Its id.")]
) -> None:
    """Take an invitation back."""
    current = session(context)
    current.connection.ask("DELETE", f"/invitations/{invitation}")
    current.out.say("The invitation is taken back.")


def accept(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where the platform answers.")],
    code: Annotated[str, typer.Option(prompt=True, hide_input=True, envvar="MAESTRO_CODE")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, envvar="MAESTRO_PASSWORD")],
    name: Annotated[str, typer.Option(help="Your name, as others see it.")] = "",
) -> None:
    """Become a member: a new login gets this password, a known one shows its own."""
    current = session(context)
    joined = Connection(url.rstrip("/"), "").ask(
        "POST",
        "/invitations/accept",
        body={"code": code.strip(), "password": password, "display_name": name},
    )
    current.out.thing(
        joined,
        f"Welcome to {joined['tenant']}. Sign in as {joined['tenant']}/{joined['login']}; make a"
        " token with `maestro tokens create`.",
    )
