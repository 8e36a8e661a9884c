"""`maestro access`: who may do what, and why."""

from typing import Annotated

import typer

from maestro.session import session

HELD = ("kind", "pattern", "permissions")
RULES = ("effect", "because", "kind", "pattern", "permissions", "expires_at")
Permission = Annotated[str, typer.Argument(help="Such as `run.log`.")]
Resource = Annotated[
    str, typer.Argument(help="The name of an experiment or model; empty: the whole.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("mine")(mine)
    app.command("of")(of)
    app.command("who")(who)
    app.command("check")(check)
    app.command("dry-run")(dry_run)


def mine(context: typer.Context) -> None:
    """What you may do with the credential in use."""
    current = session(context)
    current.out.rows(current.connection.ask("GET", "/access/mine")["effective"], HELD)


def of(
    context: typer.Context, subject: Annotated[str, typer.Argument(help="A login or subject.")]
) -> None:
    """The rules about a member."""
    current = session(context)
    current.out.rows(current.connection.ask("GET", f"/access/of/{subject}")["rules"], RULES)


def who(context: typer.Context, permission: Permission, name: Resource = "") -> None:
    """Who may do something, and by which rule."""
    current = session(context)
    found = current.connection.ask(
        "GET", "/access/who", query={"permission": permission, "name": name}
    )
    rows = [{**one, "may": True} for one in found["holders"]]
    rows += [{**one, "may": False} for one in found["denied"]]
    for row in rows:
        row["rule"] = (row["rule"] or {}).get("because")
    current.out.rows(rows, ("login", "may", "why", "rule"))
    current.out.say(found["note"])


def check(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="A login or subject.")],
    permission: Permission,
    name: Resource = "",
) -> None:
    """Whether a member may do something, and the rule that decides."""
    current = session(context)
    query = {"subject": subject, "permission": permission, "name": name}
    decided = current.connection.ask("GET", "/access/check", query=query)
    rule = (decided["rule"] or {}).get("because")
    because = f"{decided['why']} ({rule})" if rule else decided["why"]
    current.out.thing(decided, f"{'Yes' if decided['allowed'] else 'No'}: {because}.")


def dry_run(
    context: typer.Context,
    role: Annotated[str, typer.Argument(help="The role that would change.")],
    permissions: Annotated[list[str], typer.Argument(help="What it would hold.")],
) -> None:
    """Who would gain and lose what if a role held other permissions; changes nothing."""
    current = session(context)
    body = {"role": {"name": role, "permissions": permissions}}
    effects = current.connection.ask("POST", "/access/dry-run", body=body)["effects"]
    rows = [
        {"subject": one["subject"], "change": change, **held}
        for one in effects
        for change in ("gains", "loses")
        for held in one[change]
    ]
    current.out.rows(rows, ("subject", "change", "kind", "pattern", "permissions"))
