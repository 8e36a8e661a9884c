"""`maestro tenants`: what the platform's operator does."""

from typing import Annotated

import typer

from maestro.pages import all_of
from maestro.session import session

COLUMNS = ("name", "plan", "status", "created_at", "id")
Name = Annotated[str, typer.Argument(help="The tenant's name.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("create")(create)
    app.command("list")(list_all)
    app.command("show")(show)
    app.command("plan")(plan)
    app.command("suspend")(suspend)
    app.command("resume")(resume)
    app.command("invite-owner")(invite_owner)


def create(
    context: typer.Context,
    name: Name,
    owner: Annotated[str, typer.Option(help="The login of its first owner, an address of e-mail.")],
    plan: Annotated[str | None, typer.Option(help="What it may use.")] = None,
) -> None:
    """Make a tenant; prints the code with which its first owner accepts."""
    current = session(context)
    body = {"name": name, "owner": owner} | ({} if plan is None else {"plan": plan})
    made = current.connection.ask("POST", "/tenants", body=body)
    current.out.secret(
        made,
        made["owner"]["code"],
        f"Tenant {name} is there. {owner} accepts with `maestro invitations accept` and this code,"
        " which is shown this once:",
    )


def list_all(context: typer.Context) -> None:
    """All tenants."""
    current = session(context)
    current.out.rows(list(all_of(current.connection, "/tenants", "tenants")), COLUMNS)


def show(context: typer.Context, name: Name) -> None:
    """One tenant."""
    current = session(context)
    current.out.thing(current.connection.ask("GET", f"/tenants/{name}"))


def plan(
    context: typer.Context, name: Name, plan: Annotated[str, typer.Argument(help="The new plan.")]
) -> None:
    """Put a tenant on another plan."""
    _change(context, name, f"{name} is on the plan {plan}.", plan=plan)


def suspend(context: typer.Context, name: Name) -> None:
    """Refuse every credential of a tenant, at once and everywhere."""
    _change(context, name, f"{name} is suspended.", status="suspended")


def resume(context: typer.Context, name: Name) -> None:
    """Let a suspended tenant in again."""
    _change(context, name, f"{name} is active.", status="active")


def invite_owner(
    context: typer.Context, name: Name, login: Annotated[str, typer.Argument(help="Whom.")]
) -> None:
    """Invite one more owner of a tenant."""
    current = session(context)
    made = current.connection.ask("POST", f"/tenants/{name}/owners", body={"login": login})
    current.out.secret(made, made["code"], f"{login} accepts with this code, shown this once:")


def _change(context: typer.Context, name: str, sentence: str, **change: str) -> None:
    current = session(context)
    current.out.thing(current.connection.ask("PATCH", f"/tenants/{name}", body=change), sentence)
