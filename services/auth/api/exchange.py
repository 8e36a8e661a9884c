"""The token endpoint for services (OAuth 2.0 token exchange, RFC 8693) and the published keys.

It differs from the RFC in two extensions. Where several audiences are asked for, the answer holds
`principals`, a token for each, as a principal is for one audience only. And a password is a subject
token of a type of ours, beside the `login` as it was typed. With both comes the `client_address`: a
token is good within its networks only. It answers services alone: the gateway has no route to it.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from libs.common.database import Database
from libs.common.errors import Refusal
from libs.common.http.application import read_body
from libs.common.http.routes import PUBLIC, Call, Routes
from libs.common.telemetry.logs import logger
from services.auth.api.clients import client_of
from services.auth.commands.exchange import (
    Exchanged,
    SignIn,
    exchange_password,
    exchange_principal,
    exchange_secret,
)
from services.auth.model.credential import AddressRefused, CredentialRefused
from services.auth.model.workspaces import WorkspaceRefused
from services.auth.state import State

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
OPAQUE: Final = "urn:ietf:params:oauth:token-type:access_token"
PRINCIPAL: Final = "urn:ietf:params:oauth:token-type:jwt"
SIGN_IN: Final = "urn:maestro:params:oauth:token-type:password"
_LONGEST_FORM: Final = 16 * 1024
_ONCE: Final = (
    "grant_type",
    "subject_token",
    "subject_token_type",
    "requested_token_type",
    "workspace",
    "login",
    "client_address",
)
_TYPES: Final = (OPAQUE, PRINCIPAL, SIGN_IN)
_GATEWAY: Final = "gateway"
_log = logger(__name__)

routes = Routes()


class _RefusedError(Exception):
    """An error of the token endpoint, in the words of RFC 6749 and RFC 8693."""

    def __init__(
        self,
        error: str,
        description: str,
        *,
        status: int = 400,
        credential: bool = False,
        workspace: bool = False,
        address: bool = False,
    ) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status
        self.credential = credential
        self.workspace = workspace
        self.address = address


class Form(msgspec.Struct, frozen=True):
    """A request for an exchange; `workspace` is '' for the credential's own.

    `login` comes with a password alone; `client_address` is where the credential came from.
    """

    subject_token: str
    subject_token_type: str
    audiences: tuple[str, ...]
    workspace: str
    login: str
    client_address: str


@routes.plain("GET", "/.well-known/jwks.json", permission=PUBLIC)
async def published_keys(call: Call) -> Response:
    """The keys that principals are verified with."""
    state: State = call.running.state
    return Response(
        msgspec.json.encode(await state.keys.key_set()),
        media_type="application/jwk-set+json",
        headers={"cache-control": "public, max-age=30"},
    )


@routes.plain("POST", "/internal/token", permission=PUBLIC)
async def exchange_token(call: Call) -> Response:
    """A service exchanges what it was shown for principals, showing its own secret."""
    state: State = call.running.state
    try:
        client = client_of(call.request, state.clients)
        if client is None:
            raise _RefusedError("invalid_client", "unknown client or wrong secret", status=401)
        form = _form_of(await _read(call.request), state.audiences)
        exchanged = await _exchange(call, state, client, form)
    except AddressRefused as refused:
        return _answer_refused(_RefusedError("invalid_request", str(refused), address=True))
    except CredentialRefused as refused:
        return _answer_refused(_RefusedError("invalid_request", str(refused), credential=True))
    except WorkspaceRefused as refused:
        return _answer_refused(_RefusedError("invalid_request", str(refused), workspace=True))
    except _RefusedError as refused:
        return _answer_refused(refused)
    return _answer(exchanged, form.audiences)


async def _exchange(call: Call, state: State, client: str, form: Form) -> Exchanged:
    database = call.running.database
    if form.subject_token_type != PRINCIPAL and client != _GATEWAY:
        raise _RefusedError("unauthorized_client", "only the gateway sees users' credentials")
    if form.subject_token_type == OPAQUE:
        return await exchange_secret(
            database,
            state.keys,
            form.subject_token,
            form.audiences,
            form.workspace,
            address=form.client_address,
        )
    if form.subject_token_type == SIGN_IN:
        return await _sign_in(database, state, form)
    try:
        principal = await state.verifiers[client].verify(form.subject_token)
    except Refusal as refusal:
        if refusal.status != 401:
            raise
        raise CredentialRefused("the principal is not valid, or not for this service") from None
    return await exchange_principal(database, state.keys, principal, form.audiences)


async def _sign_in(database: Database, state: State, form: Form) -> Exchanged:
    try:
        return await exchange_password(
            database,
            state.keys,
            state.passwords,
            SignIn(form.login, form.subject_token),
            form.audiences,
            form.workspace,
        )
    except CredentialRefused:
        # Not the user name: people type passwords in its place.
        _log.info("sign_in_refused", address=form.client_address[:64])
        raise


async def _read(request: Request) -> list[tuple[str, str]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise _RefusedError("invalid_request", "send application/x-www-form-urlencoded")
    try:
        text = (await read_body(request, _LONGEST_FORM)).decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=32)
    except ValueError:
        raise _RefusedError("invalid_request", "the form cannot be read") from None


def _form_of(fields: Sequence[tuple[str, str]], audiences: frozenset[str]) -> Form:
    given: dict[str, str] = {}
    for name, value in fields:
        if name in given and name in _ONCE:
            raise _RefusedError("invalid_request", f"{name} came twice")
        given[name] = value
    wanted = tuple(dict.fromkeys(value for name, value in fields if name == "audience"))
    if given.get("grant_type") != GRANT:
        raise _RefusedError("unsupported_grant_type", f"only {GRANT}")
    if given.get("subject_token_type") not in _TYPES:
        raise _RefusedError("invalid_request", f"subject_token_type is one of {', '.join(_TYPES)}")
    if given.get("requested_token_type", PRINCIPAL) != PRINCIPAL:
        raise _RefusedError("invalid_request", f"requested_token_type is {PRINCIPAL}")
    if not given.get("subject_token"):
        raise _RefusedError("invalid_request", "subject_token is absent")
    if not wanted or not audiences.issuperset(wanted):
        raise _RefusedError("invalid_target", f"audience is one of {', '.join(sorted(audiences))}")
    return Form(
        given["subject_token"],
        given["subject_token_type"],
        wanted,
        given.get("workspace", ""),
        given.get("login", ""),
        given.get("client_address", ""),
    )


def _answer(exchanged: Exchanged, audiences: tuple[str, ...]) -> Response:
    body: dict[str, object] = {
        "issued_token_type": PRINCIPAL,
        "token_type": "N_A",
        "expires_in": exchanged.expires_in,
    }
    if len(audiences) == 1:
        body["access_token"] = exchanged.principals[audiences[0]]
    else:
        body["principals"] = exchanged.principals
        body |= _about(exchanged)
    return _json(body, 200)


def _about(exchanged: Exchanged) -> dict[str, object]:
    """What the gateway must know of a credential, as it cannot read it from the principals."""
    known = exchanged.credential
    return {
        "actor": known.actor,
        "subject": known.subject,
        "tenant": str(known.tenant_id),
        "tenant_no": known.tenant_no,
        "workspace_id": known.workspace_id,
        "plan": known.plan,
        "access_version": known.access_version,
        "networks": known.networks,
        "issued_at": exchanged.issued_at,
    }


def _answer_refused(refused: _RefusedError) -> Response:
    body: dict[str, object] = {"error": refused.error, "error_description": refused.description}
    if refused.credential:
        # Tells a credential that is not accepted from a request that is not understood.
        body["credential_refused"] = True
    if refused.workspace:
        body["workspace_refused"] = True
    if refused.address:
        body["address_refused"] = True
    response = _json(body, refused.status)
    if refused.status == 401:
        response.headers["www-authenticate"] = 'Basic realm="maestro-services"'
    return response


def _json(body: dict[str, object], status: int) -> Response:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
