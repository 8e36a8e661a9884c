"""`maestro members`: who belongs to the tenant, and with which role."""

from typing import Annotated
from urllib.parse import quote

import typer

from maestro.pages import all_of
from maestro.session import session

COLUMNS = ("login", "display_name", "kind", "role", "status", "last_used_at", "subject")
Member = Annotated[str, typer.Argument(help="A login, or a subject (`user:…`, `service:…`).")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_all)
    app.command("show")(show)
    app.command("role")(role)
    app.command("suspend")(suspend)
    app.command("resume")(resume)
    app.command("remove")(remove)


def list_all(context: typer.Context) -> None:
    """All members, service accounts too."""
    current = session(context)
    current.out.rows(list(all_of(current.connection, "/members", "members")), COLUMNS)


def show(context: typer.Context, member: Member) -> None:
    """One member."""
    current = session(context)
    current.out.thing(current.connection.ask("GET", f"/members/{quote(member, safe='')}"))


def role(
    context: typer.Context,
    member: Member,
    role: Annotated[str, typer.Argument(help="The role, or `none` for grants alone.")],
) -> None:
    """Give a member another role."""
    current = session(context)
    body = {"role": None if role == "none" else role}
    given = current.connection.ask("PUT", f"/members/{quote(member, safe='')}/role", body=body)
    current.out.thing(given, f"{given['login']} has the role {given['role'] or 'none'}.")


def suspend(context: typer.Context, member: Member) -> None:
    """Let a member do nothing until it is resumed."""
    _post(context, member, "suspend", "is suspended")


def resume(context: typer.Context, member: Member) -> None:
    """Let a suspended member act again."""
    _post(context, member, "resume", "is active")


def remove(context: typer.Context, member: Member) -> None:
    """End a membership: its tokens end and its grants go; what it made stays."""
    current = session(context)
    current.connection.ask("DELETE", f"/members/{quote(member, safe='')}")
    current.out.say(f"{member} is no member any more.")


def _post(context: typer.Context, member: str, verb: str, now: str) -> None:
    current = session(context)
    changed = current.connection.ask("POST", f"/members/{quote(member, safe='')}/{verb}")
    current.out.thing(changed, f"{changed['login']} {now}.")
