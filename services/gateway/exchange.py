"""The exchange at auth: an opaque credential in, signed principals for all services out.

The request is that of RFC 8693 with several audiences; the answer has an extension for them,
`principals` by audience, as the RFC's answer holds a single token.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import msgspec

from libs.common.access.asking import shown_secret
from libs.common.errors import unavailable
from libs.common.http.calling import Reply, call
from libs.common.http.types import ASGIApp
from libs.common.telemetry.logs import logger
from libs.common.workspaces import DEFAULT_ID
from services.gateway.credentials import AddressRejected, Presented, Rejected, WorkspaceRejected

_CLIENT: Final = "gateway"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
_OPAQUE: Final = "urn:ietf:params:oauth:token-type:access_token"
_SIGN_IN: Final = "urn:maestro:params:oauth:token-type:password"
_SECONDS: Final = 5.0
_AWAY: Final = 503
# Not used in its last seconds, so that it does not expire on its way; asked for anew before that,
# so that no request waits for it.
_UNUSED_SECONDS: Final = 5
_RENEWED_SECONDS: Final = 15
_log = logger(__name__)


class Passport(msgspec.Struct, frozen=True):
    """The signed principals of one credential, by service, until they are to be had anew.

    `actor` is the token's id, or names a sign-in with a password; `networks` are where it may be
    used from, anywhere when empty. `subject` is whom it speaks for in `tenant`, a UUID whose short
    number is `tenant_no` and whose limits are those of `plan`; they are good in one workspace, and
    `access_version` is the version of what the subject may do. Times are seconds since 1970:
    `minted_at` by auth, usable before `expires_at`, to be renewed from `renew_at` on.
    """

    principals: dict[str, bytes]
    actor: str
    subject: str
    tenant: str
    tenant_no: int
    plan: str
    access_version: int
    minted_at: float
    renew_at: float
    expires_at: float
    workspace_id: int = DEFAULT_ID
    networks: tuple[str, ...] = ()


class _Granted(msgspec.Struct):
    principals: dict[str, str]
    actor: str
    subject: str
    tenant: str
    tenant_no: int
    plan: str
    access_version: int
    expires_in: int
    issued_at: int
    workspace_id: int = DEFAULT_ID
    networks: tuple[str, ...] = ()


class _Refused(msgspec.Struct):
    error: str
    error_description: str = ""
    credential_refused: bool = False
    workspace_refused: bool = False
    address_refused: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """Asks auth among `peers`; `audiences` are all services that a request may be for."""

    peers: Mapping[str, ASGIApp]
    client_secret: str
    audiences: tuple[str, ...]
    clock: Callable[[], float] = time.time

    async def __call__(self, presented: Presented) -> Passport:
        """The passport of a credential.

        Raises Rejected where auth does not accept it, or not from this address or for this
        workspace; a refusal 503 where auth cannot say.
        """
        form = [("grant_type", _GRANT), *_subject(presented)]
        form.append(("client_address", presented.address))
        form += [("audience", audience) for audience in self.audiences]
        if presented.workspace:
            form += [("workspace", presented.workspace)]
        if "auth" not in self.peers:
            raise unavailable("The credential cannot be checked now; try again.")
        asked_at = self.clock()
        reply = await call(
            self.peers["auth"],
            "POST",
            "/internal/token",
            headers=self._headers(),
            body=urlencode(form).encode(),
            timeout=_SECONDS,
        )
        if reply.status == 200:
            return self._passport(reply, asked_at)
        raise _problem(reply)

    def _headers(self) -> list[tuple[str, str]]:
        return [
            ("authorization", shown_secret(_CLIENT, self.client_secret)),
            ("content-type", "application/x-www-form-urlencoded"),
        ]

    def _passport(self, reply: Reply, asked_at: float) -> Passport:
        try:
            granted = msgspec.json.decode(reply.body, type=_Granted)
        except msgspec.DecodeError as problem:
            raise unavailable("The credential cannot be checked now; try again.") from problem
        # Counted from before the question, on this machine's clock.
        ends_at = asked_at + granted.expires_in
        life = max(granted.expires_in - _UNUSED_SECONDS, granted.expires_in / 2)
        return Passport(
            principals={name: raw.encode() for name, raw in granted.principals.items()},
            actor=granted.actor,
            subject=granted.subject,
            tenant=granted.tenant,
            tenant_no=granted.tenant_no,
            plan=granted.plan,
            access_version=granted.access_version,
            minted_at=float(granted.issued_at),
            renew_at=ends_at - _RENEWED_SECONDS,
            expires_at=asked_at + life,
            workspace_id=granted.workspace_id,
            networks=granted.networks,
        )


def _subject(presented: Presented) -> list[tuple[str, str]]:
    """What is exchanged, as fields of the form."""
    if presented.user is None:
        return [("subject_token_type", _OPAQUE), ("subject_token", presented.secret)]
    return [
        ("subject_token_type", _SIGN_IN),
        ("subject_token", presented.secret),
        ("login", presented.user),
    ]


def _problem(reply: Reply) -> Exception:
    try:
        refused = msgspec.json.decode(reply.body, type=_Refused)
    except msgspec.DecodeError:
        refused = _Refused(error="")
    if reply.status == 400 and refused.address_refused:
        return AddressRejected(refused.error_description)
    if reply.status == 400 and refused.credential_refused:
        return Rejected(refused.error_description)
    if reply.status == 400 and refused.workspace_refused:
        return WorkspaceRejected(refused.error_description)
    if reply.status != _AWAY:  # then it is our own setting or fault that is wrong
        _log.error("exchange_failed", status=reply.status, error=refused.error)
    return unavailable("The credential cannot be checked now; try again.")
