"""A connection to a platform's gateway: requests in, JSON out, refusals as one exception."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import requests

API: Final = "/api/maestro/v1"
SECONDS: Final = 30.0
# A stream says something every ten seconds.
QUIET_SECONDS: Final = 35.0


class Refused(Exception):
    """The platform refused, or could not be reached; the message is for whoever asked.

    `status` is the HTTP status, 0 where there was no answer.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Connection:
    """Where a platform answers and the token to ask with; `workspace` is a name, '' for its own.

    With `user` (`tenant/login`) the token is that user's password.
    """

    url: str
    token: str
    workspace: str = ""
    user: str = ""

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
    ) -> Any:
        """The decoded answer to a request below the platform's own API; raises Refused."""
        return self.ask_path(method, API + path, query=query, body=body)

    def ask_path(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
    ) -> Any:
        """As `ask`, for a whole path."""
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        try:
            answer = requests.request(
                method,
                self.url.rstrip("/") + path,
                params=given,
                json=body,
                headers=self._headers(),
                # Without it, requests looks for credentials in ~/.netrc and puts those first.
                auth=self._authorized,
                timeout=SECONDS,
            )
        except requests.RequestException as problem:
            raise Refused(f"No platform answers at {self.url}: {problem}", 0) from None
        if answer.ok:
            return answer.json() if answer.content else {}
        raise Refused(_said(answer), answer.status_code)

    def stream(self, path: str, last_event_id: str = "") -> requests.Response:
        """A stream of events below the platform's own API, going on after an event.

        Raises Refused. Where nothing is said, not even that all is well, reading it fails.
        """
        headers = {**self._headers(), "Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        try:
            answer = requests.get(
                self.url.rstrip("/") + API + path,
                headers=headers,
                auth=self._authorized,
                stream=True,
                timeout=(SECONDS, QUIET_SECONDS),
            )
        except requests.RequestException as problem:
            raise Refused(f"No platform answers at {self.url}: {problem}", 0) from None
        if answer.ok:
            return answer
        raise Refused(_said(answer), answer.status_code)

    def _headers(self) -> dict[str, str]:
        return {"X-MLFLOW-WORKSPACE": self.workspace} if self.workspace else {}

    def _authorized(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.user:
            pair = base64.b64encode(f"{self.user}:{self.token}".encode()).decode()
            request.headers["Authorization"] = f"Basic {pair}"
        elif self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def _said(answer: requests.Response) -> str:
    """What the platform says of a refusal, in either of its two forms."""
    try:
        said = answer.json()
    except ValueError:
        return f"{answer.status_code} {answer.reason}"
    if not isinstance(said, dict):
        return f"{answer.status_code} {answer.reason}"
    return str(said.get("detail") or said.get("message") or answer.reason)
