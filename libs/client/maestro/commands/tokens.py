"""`maestro tokens`: one's own, and for administrators everybody's."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from maestro.pages import all_of
from maestro.session import Session, session

COLUMNS = ("name", "scopes", "networks", "expires_at", "last_used_at", "revoked_at", "id")
EVERYBODYS = ("owner", *COLUMNS)
Days = Annotated[int | None, typer.Option(help="Ends after so many days; 90 by default.")]
Scopes = Annotated[
    list[str] | None,
    typer.Option(
        "--scope",
        help="A permission (`run.log`), all of a kind (`run.*`) or a resource"
        " (`experiment:team-a/*`); several may be given.",
    ),
]
Networks = Annotated[
    list[str] | None, typer.Option("--network", help="Where it may be used from: 192.0.2.0/24.")
]
TokenId = Annotated[str, typer.Argument(help="The token's id.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("create")(create)
    app.command("list")(list_own)
    app.command("rotate")(rotate)
    app.command("end")(end)
    app.command("inventory")(inventory)


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    days: Days = None,
    scope: Scopes = None,
    network: Networks = None,
) -> None:
    """Make a token for yourself; its secret is shown this once."""
    current = session(context)
    body = token_body(name, days, scope, network)
    show_secret(current, current.connection.ask("POST", "/tokens", body=body))


def list_own(context: typer.Context) -> None:
    """Your tokens, ended ones too."""
    current = session(context)
    current.out.rows(current.connection.ask("GET", "/tokens")["tokens"], COLUMNS)


def rotate(
    context: typer.Context,
    token: TokenId,
    overlap_hours: Annotated[int, typer.Option(help="How long the old one goes on.")] = 24,
) -> None:
    """Get a new secret for a token; the old one ends after the overlap."""
    current = session(context)
    body = {"overlap_hours": overlap_hours}
    show_secret(current, current.connection.ask("POST", f"/tokens/{token}/rotate", body=body))


def end(
    context: typer.Context,
    token: TokenId,
    anybodys: Annotated[
        bool, typer.Option(help="One that is not yours; for administrators.")
    ] = False,
) -> None:
    """End a token, everywhere and at once."""
    current = session(context)
    current.connection.ask("DELETE", f"/tokens/{'inventory/' if anybodys else ''}{token}")
    current.out.say("The token has ended.")


def inventory(
    context: typer.Context,
    unused_days: Annotated[int | None, typer.Option(help="Unused for so many days.")] = None,
    expires_within_days: Annotated[int | None, typer.Option(help="Ending within.")] = None,
    owner: Annotated[str | None, typer.Option(help="Of one login.")] = None,
) -> None:
    """Everybody's tokens; with `--unused-days 90` those that nobody misses."""
    current = session(context)
    query = {
        "unused_days": unused_days,
        "expires_within_days": expires_within_days,
        "owner": owner,
    }
    rows = list(all_of(current.connection, "/tokens/inventory", "tokens", query))
    current.out.rows(rows, EVERYBODYS)


def token_body(
    name: str, days: int | None, scopes: list[str] | None, networks: list[str] | None
) -> dict[str, object]:
    """What a token is asked for with."""
    given = {"expires_in_days": days, "scopes": scopes or None, "networks": networks or None}
    return {"name": name} | {key: value for key, value in given.items() if value is not None}


def show_secret(current: Session, made: Mapping[str, Any]) -> None:
    """Print a new token."""
    current.out.secret(
        made, made["token"], f"Ends {made['expires_at'][:10]}. Keep it, it is shown this once:"
    )
