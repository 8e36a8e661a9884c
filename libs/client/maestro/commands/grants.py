"""`maestro grants`: allow and deny on experiments, models and workspaces."""

from typing import Annotated, Literal

import typer

from maestro.pages import all_of
from maestro.session import session

COLUMNS = ("login", "effect", "role", "permissions", "kind", "pattern", "expires_at", "id")
Subject = Annotated[
    str, typer.Argument(help="A login, a service account's name, `user:…` or `service:…`.")
]
What = Annotated[str, typer.Argument(help="A role, or permissions with commas between.")]
Kind = Annotated[
    Literal["tenant", "workspace", "experiment", "model"], typer.Argument(help="On what.")
]
Pattern = Annotated[str, typer.Argument(help="A name, a prefix that ends in `*`, or `*`.")]
Hours = Annotated[float | None, typer.Option(help="Ends by itself after so many hours.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the grant.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("allow")(allow)
    app.command("deny")(deny)
    app.command("list")(list_all)
    app.command("revoke")(revoke)


def allow(
    context: typer.Context,
    subject: Subject,
    what: What,
    kind: Kind,
    pattern: Pattern = "*",
    hours: Hours = None,
    reason: Reason = "",
) -> None:
    """Allow something: `maestro grants allow ann contributor experiment 'team-a/*'`."""
    _give(context, "allow", (subject, what, kind, pattern), hours, reason)


def deny(
    context: typer.Context,
    subject: Subject,
    what: What,
    kind: Kind,
    pattern: Pattern = "*",
    hours: Hours = None,
    reason: Reason = "",
) -> None:
    """Deny something, which wins over whatever allows it."""
    _give(context, "deny", (subject, what, kind, pattern), hours, reason)


def list_all(
    context: typer.Context,
    subject: Annotated[str | None, typer.Option(help="Of one member.")] = None,
) -> None:
    """Grants that have not ended."""
    current = session(context)
    rows = list(all_of(current.connection, "/grants", "grants", {"subject": subject}))
    current.out.rows(rows, COLUMNS)


def revoke(context: typer.Context, grant: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Take a grant back, everywhere and at once."""
    current = session(context)
    current.connection.ask("DELETE", f"/grants/{grant}")
    current.out.say("The grant is gone.")


def _give(
    context: typer.Context,
    effect: str,
    wanted: tuple[str, str, str, str],
    hours: float | None,
    reason: str,
) -> None:
    current = session(context)
    subject, what, kind, pattern = wanted
    named = what.split(",")
    permissions = [name.strip() for name in named] if "." in what else []
    body: dict[str, object] = {
        "subject": subject,
        "effect": effect,
        "kind": kind,
        "pattern": pattern,
        "reason": reason,
    }
    body |= {"permissions": permissions} if permissions else {"role": what}
    if hours is not None:
        body["expires_in"] = int(hours * 3600)
    made = current.connection.ask("POST", "/grants", body=body)
    held = made["role"] or ", ".join(made["permissions"])
    on = f"{kind} {made['pattern']}" if kind in ("experiment", "model") else f"this {kind}"
    said = "may" if effect == "allow" else "may not"
    current.out.thing(made, f"{made['login']} {said} {held} on {on} (grant {made['id']}).")
