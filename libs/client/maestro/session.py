"""What every command works with: the connection it was asked for and the way it prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import typer

from maestro.connection import Connection, Refused
from maestro.output import Output
from maestro.profile import file_of, kept

DEFAULT: Final = "default"
_NOWHERE: Final = (
    "No platform is named: run `maestro login URL`, or set MLFLOW_TRACKING_URI and"
    " MLFLOW_TRACKING_TOKEN."
)


@dataclass
class Session:
    """Options that stand before the command, and the environment they default to."""

    env: Mapping[str, str]
    profile: str
    workspace: str
    out: Output

    @property
    def connection(self) -> Connection:
        """Address and token: those of the environment, else those that `maestro login` keeps."""
        url = self.env.get("MAESTRO_URL") or self.env.get("MLFLOW_TRACKING_URI")
        token = self.env.get("MAESTRO_TOKEN") or self.env.get("MLFLOW_TRACKING_TOKEN")
        if self.profile == DEFAULT and url and token:
            return Connection(url, token, self.workspace)
        given = kept(file_of(self.env)).get(self.profile)
        if given is None:
            raise Refused(_NOWHERE, 0)
        return Connection(given["url"], given["token"], self.workspace)


def session(context: typer.Context) -> Session:
    """The session of the command that runs."""
    found = context.find_object(Session)
    assert found is not None
    return found
