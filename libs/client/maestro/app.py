"""The command line put together: options that stand before the command, and groups of commands."""

from collections.abc import Mapping
from typing import Annotated

import typer

from maestro.commands import (
    access,
    garbage,
    grants,
    invitations,
    login,
    members,
    retention,
    roles,
    runs,
    service_accounts,
    tenants,
    tokens,
    watch,
    workspaces,
)
from maestro.output import Output
from maestro.session import DEFAULT, Session

GROUPS = (
    (tenants, "tenants", "Tenants of the platform; for its operator."),
    (members, "members", "Who belongs to your tenant, and with which role."),
    (invitations, "invitations", "Invite people, and accept an invitation."),
    (service_accounts, "service-accounts", "Accounts for programs."),
    (tokens, "tokens", "Your tokens, and everybody's."),
    (roles, "roles", "What roles hold, and roles of your own."),
    (grants, "grants", "Allow and deny on experiments, models and workspaces."),
    (access, "access", "Who may do what, and why."),
    (workspaces, "workspaces", "Places for work that is kept apart."),
    (runs, "runs", "Continue a run from one of its steps."),
    (retention, "retention", "How long an experiment keeps what is deleted."),
)


def application(env: Mapping[str, str]) -> typer.Typer:
    """The `maestro` command; `env` is the user's environment."""
    app = typer.Typer(
        name="maestro",
        help="The command line of a Maestro ML platform.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def _options(
        context: typer.Context,
        profile: Annotated[
            str, typer.Option(envvar="MAESTRO_PROFILE", help="Which login to use.")
        ] = DEFAULT,
        workspace: Annotated[
            str, typer.Option(envvar="MLFLOW_WORKSPACE", help="The workspace to work in.")
        ] = "",
        json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    ) -> None:
        context.obj = Session(env, profile, workspace, Output(as_json=json))

    login.add_to(app)
    garbage.add_to(app)
    watch.add_to(app)
    for module, name, text in GROUPS:
        group = typer.Typer(help=text, no_args_is_help=True)
        module.add_to(group)
        app.add_typer(group, name=name)
    return app
