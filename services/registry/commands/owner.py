"""Asking tracking for a run or logged model: one bounded read, in which tracking decides.

What it answers is used for this command and not kept: the answer carries no version, and a row
without one could hide a newer fact.
"""

from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from libs.common.errors import denied, unavailable
from libs.common.http.calling import call
from libs.common.principal import PRINCIPAL_HEADER, Principal
from libs.common.service import Running
from services.registry.model.entries import KnownModel, KnownRun
from services.registry.state import State

_AUDIENCE: Final = "tracking"
_SECONDS: Final = 2.0


class _Refused(msgspec.Struct):
    message: str = ""


class _RunInfo(msgspec.Struct):
    run_id: str
    artifact_uri: str


class _Run(msgspec.Struct):
    info: _RunInfo


class _RunAnswer(msgspec.Struct):
    run: _Run


class _ModelInfo(msgspec.Struct):
    model_id: str
    artifact_uri: str
    source_run_id: str = ""


class _Model(msgspec.Struct):
    info: _ModelInfo


class _ModelAnswer(msgspec.Struct):
    model: _Model


async def run(running: Running, principal: Principal, run_id: str) -> KnownRun | None:
    """A run of the caller, None where tracking shows none."""
    query = urlencode({"run_id": run_id})
    answer = await _read(running, principal, "/api/2.0/mlflow/runs/get", query, _RunAnswer)
    return None if answer is None else KnownRun(run_id, answer.run.info.artifact_uri)


async def logged_model(running: Running, principal: Principal, model_id: str) -> KnownModel | None:
    """A logged model of the caller, None where tracking shows none."""
    path = f"/api/2.0/mlflow/logged-models/{model_id}"
    answer = await _read(running, principal, path, "", _ModelAnswer)
    if answer is None:
        return None
    info = answer.model.info
    return KnownModel(model_id, info.artifact_uri, info.source_run_id)


async def _read(
    running: Running, principal: Principal, path: str, query: str, kind: type[Any]
) -> Any:
    state: State = running.state
    tracking = running.peers.get(_AUDIENCE)
    if tracking is None:
        raise unavailable("The tracking service has not started; try again.")
    token = await state.exchange.principal_for(principal, _AUDIENCE)
    reply = await call(
        tracking,
        "GET",
        path,
        query=query,
        headers=[(PRINCIPAL_HEADER, token)],
        timeout=_SECONDS,
    )
    if reply.status == 404:
        return None
    if reply.status == 403:
        raise denied(_said(reply.body))
    if reply.status != 200:
        raise unavailable("The tracking service cannot say whether the source exists; try again.")
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except msgspec.MsgspecError as problem:
        raise unavailable(
            "The tracking service gave an answer that is not understood."
        ) from problem


def _said(body: bytes) -> str:
    """What tracking refuses with: the permission, the experiment, and whom to ask."""
    try:
        return msgspec.json.decode(body, type=_Refused).message
    except msgspec.MsgspecError:
        return "You may not read the source."
