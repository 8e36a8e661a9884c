"""`python -m tests.load.signing_in`: requests a second with a password and with a token, in turn.

Both ask the gateway for the same run's experiment over the same number of connections; the ratio says
whether the Basic form is as fast as a token. Prints the median of the rounds.
"""

import argparse
import asyncio
import base64
import json
import os
import secrets
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from libs.embedded import Progress, platform
from libs.embedded.ports import HOST
from tests.deployments import deployed
from tests.load.generator import Span, drive

PASSWORD_PATH = "/api/maestro/v1/password"
ASKED = "/api/2.0/mlflow/experiments/get?experiment_id=0"
OWNER = "default/owner"


class Asking:
    """One request again and again, with one Authorization header."""

    def __init__(self, authorization: str) -> None:
        lines = (f"GET {ASKED} HTTP/1.1", "Host: localhost", f"Authorization: {authorization}")
        self._request = "\r\n".join((*lines, "", "")).encode()

    def request(self) -> tuple[bytes, Any]:
        """The same bytes."""
        return self._request, None

    def right(self, known: Any, body: bytes) -> bool:
        """Whether the experiment came."""
        return known is None and b'"experiment_id"' in body


async def set_password(port: int, token: str, password: str) -> None:
    """Give the first owner a password."""
    body = json.dumps({"new": password}).encode()
    head = (
        f"PUT {PASSWORD_PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(head.encode() + body)
    status = (await reader.read()).split(b" ", 2)[1]
    writer.close()
    assert status == b"204", status


async def measured(env: Mapping[str, str], folder: Path, rounds: int, seconds: float) -> str:
    """The table's one line: the medians of both, and their ratio."""
    found: dict[str, list[float]] = {"token": [], "password": []}
    async with (
        platform(folder / "home", {**env, "MAESTRO_PORT": "0"}, Progress(print)) as parts,
        deployed(parts.environment, folder) as deployment,
    ):
        password = secrets.token_urlsafe(16)
        await set_password(deployment.port, deployment.token, password)
        pair = base64.b64encode(f"{OWNER}:{password}".encode()).decode()
        ways = {"token": f"Bearer {deployment.token}", "password": f"Basic {pair}"}
        for _ in range(rounds):
            for name, authorization in ways.items():
                tally = await drive(
                    (HOST, deployment.port), Asking(authorization), 16, Span(0.5, seconds)
                )
                assert not tally.failed, tally.example
                found[name].append(tally.measured / tally.seconds)
    by_token, by_password = (statistics.median(found[name]) for name in ("token", "password"))
    return (
        f"token {by_token:,.0f} requests/s, tenant/login and password {by_password:,.0f} requests/s,"
        f" ratio {by_password / by_token:.2f}"
    )


def main() -> None:
    """Measure on parts of its own and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args()
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAESTRO_")}
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(measured(env, Path(folder), asked.rounds, asked.seconds)))


if __name__ == "__main__":
    main()
