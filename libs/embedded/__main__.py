"""`python -m libs.embedded`: what `make up`, `env`, `token`, `sign-in`, `redrive`, … run."""

import argparse
import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from libs.embedded.errors import Problem
from libs.embedded.home import Home, default_home


def main() -> int:
    """Run one command; gives the exit status."""
    given, rest = arguments().parse_known_args()
    if rest and given.command not in PASSED_ON:
        arguments().error(f"unrecognized arguments: {' '.join(rest)}")
    home = Path(given.home).expanduser() if given.home else default_home(os.environ)
    try:
        return run(given, rest, home, os.environ)
    except Problem as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m libs.embedded", description=__doc__)
    parser.add_argument("--home", help="data folder; otherwise MAESTRO_HOME or ~/.maestro")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("up", help="start the platform and stay in the foreground")
    commands.add_parser("env", help="print the exports a client needs")
    commands.add_parser("sign-in", help="print a link that signs in on the web pages, once")
    token = commands.add_parser("token", help="make another token on the running platform")
    token.add_argument("--name", default="extra", help="what it is for; shown in lists of tokens")
    for name, text in PASSED_ON.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


PASSED_ON = {
    "first-token": "leave another first token in the data folder, where that one has expired",
    "redrive": "send dead letters through their subscription again",
    "republish": "publish the current state of a service as facts",
}


def run(given: argparse.Namespace, rest: list[str], home: Path, env: Mapping[str, str]) -> int:
    """Do what was asked; raises Problem with a reason for the user."""
    # Each command loads only what it needs: `env` answers in a moment.
    if given.command == "up":
        from libs.embedded.up import up  # noqa: PLC0415

        return asyncio.run(up(home, env))
    from libs.embedded.client import access, new_token, sign_in_link  # noqa: PLC0415

    if given.command == "env":
        url, token = access(Home(home))
        print(f"export MLFLOW_TRACKING_URI={url}\nexport MLFLOW_TRACKING_TOKEN={token}")
        return 0
    if given.command == "sign-in":
        print(sign_in_link(Home(home)))
        return 0
    if given.command == "token":
        print(new_token(Home(home), given.name))
        return 0
    return step(given.command, rest, Home(home), env)


def step(name: str, rest: list[str], home: Home, env: Mapping[str, str]) -> int:
    """Run a one-off step of the services with the platform's variables; gives its exit status."""
    from libs.embedded.environment import environment  # noqa: PLC0415

    if not home.used:
        raise Problem(f"No platform was ever started in {home.path}. Start one with: make up")
    command = [sys.executable, "-m", "services", name, *rest]
    return subprocess.run(command, env={**env, **environment(home, env)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
