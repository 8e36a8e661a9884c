"""`maestro login`, `logout` and `whoami`."""

import platform
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from maestro.connection import Connection, Refused
from maestro.profile import drop, file_of, keep
from maestro.session import session


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(login)
    app.command()(logout)
    app.command()(whoami)


def login(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where the platform answers.")],
    user: Annotated[
        str, typer.Option(help="`tenant/login`: sign in with a password, which makes a token.")
    ] = "",
    secret: Annotated[
        str,
        typer.Option(
            "--secret",
            prompt="Token, or with --user the password",
            hide_input=True,
            envvar="MAESTRO_SECRET",
            help="Asked for where it is not given; better not on the command line.",
        ),
    ] = "",
) -> None:
    """Keep an address and a token, once the platform has accepted them."""
    current = session(context)
    connection = Connection(url.rstrip("/"), secret.strip())
    if user:
        connection = Connection(connection.url, _token_for(connection.url, user, secret))
    who = _who(connection)
    keep(file_of(current.env), current.profile, connection)
    current.out.thing(who, f"Logged in at {connection.url} as {who['subject']}.")


def logout(context: typer.Context) -> None:
    """Forget the address and token; the token itself lives on until it is ended."""
    current = session(context)
    there = drop(file_of(current.env), current.profile)
    current.out.say("Logged out." if there else "Nobody was logged in.")


def whoami(context: typer.Context) -> None:
    """Who you are to the platform, and what your rights come from."""
    current = session(context)
    who = _who(current.connection)
    sources = sorted({rule["because"] for rule in who.get("rules", [])})
    current.out.thing({"subject": who["subject"], "status": who["status"], "by": sources})


def _token_for(url: str, user: str, password: str) -> str:
    """A token of one's own, made with a password."""
    body = {"name": f"maestro on {platform.node() or 'a machine'}"}
    made = Connection(url, password, user=user).ask("POST", "/tokens", body=body)
    return str(made["token"])


def _who(connection: Connection) -> Mapping[str, Any]:
    """The caller's own access; the operator, who is no tenant's member, is told apart."""
    try:
        found: Mapping[str, Any] = connection.ask("GET", "/access/mine")
    except Refused as refused:
        if refused.status != 403:
            raise
        connection.ask("GET", "/tenants", query={"max_results": 1})
        return {"subject": "the operator of the platform", "status": "active"}
    return found
