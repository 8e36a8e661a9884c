"""`maestro`: the command line."""

import os
import sys

import click
from rich.console import Console
from rich.text import Text

from maestro.app import application
from maestro.connection import Refused


def main() -> None:
    """Run the command that was asked for; 1 where the platform refused, 2 where it was misspelt."""
    try:
        application(dict(os.environ))()
    except Refused as refused:
        _say(str(refused))
        sys.exit(1)
    except click.exceptions.Abort:
        sys.exit(130)


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(Text(text, style="red"))


if __name__ == "__main__":
    main()
