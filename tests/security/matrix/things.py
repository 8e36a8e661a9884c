"""Live things of one owner, made anew for each row of the matrix, and names of none."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import msgspec

from tests.security.matrix.ask import FILES, ML, MPU, OURS, Ask
from tests.security.matrix.asks import WORKSPACES
from tests.security.matrix.platform import Platform

CANARY: Final = "canary"
_OF_TENANT: Final = frozenset(
    {"member", "account", "role", "grant", "invitation", "token", "workspace"}
)
_NEW: Final = re.compile(r"new-[0-9a-f]{32}")
_WORD: Final = re.compile(r"<([a-z-]+)>")


@dataclass(frozen=True)
class Things:
    """What the words of an ask stand for."""

    words: dict[str, str]

    def filled(self, text: str) -> str:
        """A text with its words replaced."""
        return _WORD.sub(lambda found: self.words[found[1]], text)

    def body(self, body: Any) -> Any:
        """A JSON body with its words replaced."""
        return msgspec.json.decode(self.filled(msgspec.json.encode(body).decode()))

    def with_new_names(self) -> "Things":
        """The same things, and a name to be given that nobody has."""
        return Things({**self.words, "new": f"new-{uuid4().hex}"})

    def hidden_in(self, text: str) -> str:
        """An answer with every name of ours replaced by its word, to compare two answers."""
        text = _NEW.sub("<new>", text)
        for word, name in sorted(self.words.items(), key=lambda pair: -len(pair[1])):
            text = re.sub(rf"(?<![0-9A-Za-z]){re.escape(name)}(?![0-9A-Za-z])", f"<{word}>", text)
        return text


def words_of(ask: Ask) -> AbstractSet[str]:
    """The things that a request names."""
    text = f"{ask.path} {ask.query} {msgspec.json.encode(ask.body).decode()}"
    return set(_WORD.findall(text)) - {"new"}


def no_things() -> Things:
    """Names of the same form that stand for nothing."""
    return Things(
        {
            "experiment": str(2_000_000_000 + uuid4().int % 100_000_000),
            "deleted-experiment": str(2_100_000_000 + uuid4().int % 40_000_000),
            "experiment-name": f"none-{uuid4().hex}",
            "run": uuid4().hex,
            "deleted-run": uuid4().hex,
            "logged-model": f"m-{uuid4().hex}",
            "model": f"none-{uuid4().hex}",
            "new": f"new-{uuid4().hex}",
            "upload": uuid4().hex,
            "member": f"service:{uuid4()}",
            "account": f"none-{uuid4().hex}",
            "role": f"none-{uuid4().hex}",
            "grant": str(uuid4()),
            "invitation": str(uuid4()),
            "token": str(uuid4()),
            "workspace": f"none-{uuid4().hex}",
        }
    )


class Maker:
    """Makes things through the gateway as their owner."""

    def __init__(self, platform: Platform, token: str) -> None:
        self._platform = platform
        self._token = token

    async def things(self, words: AbstractSet[str] = frozenset()) -> Things:
        """All that the words of an ask need to stand for; everything where it names nothing."""
        found: dict[str, str] = {"new": f"new-{uuid4().hex}"}
        if not words or words - _OF_TENANT:
            found |= await self._of_work()
        if not words or words & _OF_TENANT:
            found |= await self._of_tenant()
        return Things(found)

    async def _of_work(self) -> dict[str, str]:
        """An experiment, runs with all that can be logged, models with all that they carry."""
        name = f"{CANARY}-{uuid4().hex}"
        experiment = await self._made("experiments/create", name=name, tags=_tags())
        gone = await self._made("experiments/create", name=f"{name}-gone")
        await self._post("experiments/delete", experiment_id=gone["experiment_id"])
        run = await self._run(experiment["experiment_id"])
        deleted = await self._run(experiment["experiment_id"])
        await self._post("runs/delete", run_id=deleted)
        logged = await self._logged_model(experiment["experiment_id"], run)
        await self._file(f"{experiment['experiment_id']}/{run}/artifacts/canary.txt")
        await self._file(f"{experiment['experiment_id']}/models/{logged}/artifacts/canary.txt")
        await self._registered(f"{name}-model", logged)
        upload = await self._upload(f"{experiment['experiment_id']}/{run}/artifacts")
        return {
            "upload": upload,
            "experiment": experiment["experiment_id"],
            "deleted-experiment": gone["experiment_id"],
            "experiment-name": name,
            "run": run,
            "deleted-run": deleted,
            "logged-model": logged,
            "model": f"{name}-model",
        }

    async def _of_tenant(self) -> dict[str, str]:
        """A service account and what belongs to it, a role, an invitation, a token, a workspace."""
        name = f"{CANARY}-{uuid4().hex}"
        account = await self._own("service-accounts", name=f"{name}-account", role="viewer")
        await self._own("roles", name=f"{name}-role", permissions=["run.read"])
        grant = await self._own(
            "grants", subject=account["subject"], role="viewer", kind="experiment", pattern=name
        )
        invited = await self._own("invitations", login=f"{name}@example.org", role="viewer")
        token = await self._own("tokens", name=CANARY, expires_in_days=1)
        reply = await self._platform.ask(
            self._token, "POST", WORKSPACES, body={"name": f"{name}-place"}
        )
        assert reply.status == 201, reply.body
        return {
            "member": account["subject"],
            "account": f"{name}-account",
            "role": f"{name}-role",
            "grant": grant["id"],
            "invitation": invited["invitation"]["id"],
            "token": token["id"],
            "workspace": f"{name}-place",
        }

    async def _own(self, place: str, **body: object) -> dict[str, Any]:
        reply = await self._platform.ask(self._token, "POST", f"{OURS}/{place}", body=body)
        assert reply.status == 201, (place, reply.body)
        made: dict[str, Any] = msgspec.json.decode(reply.body)
        return made

    async def _run(self, experiment_id: str) -> str:
        made = await self._made(
            "runs/create", experiment_id=experiment_id, start_time=1, run_name=CANARY
        )
        run_id: str = made["run"]["info"]["run_id"]
        point = {"key": CANARY, "value": 4.25, "timestamp": 1, "step": 0}
        await self._post("runs/log-batch", run_id=run_id, metrics=[point], tags=_tags())
        dataset = {"name": CANARY, "digest": "x", "source_type": "code", "source": CANARY}
        await self._post("runs/log-inputs", run_id=run_id, datasets=[{"dataset": dataset}])
        return run_id

    async def _logged_model(self, experiment_id: str, run_id: str) -> str:
        made = await self._made(
            "logged-models",
            experiment_id=experiment_id,
            name=CANARY,
            source_run_id=run_id,
            tags=_tags(),
        )
        model_id: str = made["model"]["info"]["model_id"]
        return model_id

    async def _registered(self, name: str, logged_model: str) -> None:
        await self._post("registered-models/create", name=name, tags=_tags())
        await self._post(
            "model-versions/create",
            name=name,
            source=f"models:/{logged_model}",
            model_id=logged_model,
            tags=_tags(),
        )
        await self._post("registered-models/alias", name=name, alias=CANARY, version="1")

    async def _file(self, path: str) -> None:
        reply = await self._platform.ask(self._token, "PUT", f"{FILES}/{path}", raw=CANARY.encode())
        assert reply.status == 200, reply.body

    async def _upload(self, folder: str) -> str:
        """An upload in parts of which the first has come."""
        asked = {"path": "parts.bin", "num_parts": 2}
        reply = await self._platform.ask(self._token, "POST", f"{MPU}/create/{folder}", body=asked)
        assert reply.status == 200, reply.body
        told = msgspec.json.decode(reply.body)
        first = told["credentials"][0]
        url = urlsplit(first["url"])
        sent = await self._platform.ask(
            None, "PUT", url.path, url.query, raw=CANARY.encode(), headers=first["headers"]
        )
        assert sent.status == 200, sent.body
        upload_id: str = told["upload_id"]
        return upload_id

    async def _post(self, path: str, **body: object) -> None:
        await self._made(path, **body)

    async def _made(self, path: str, **body: object) -> dict[str, Any]:
        reply = await self._platform.ask(self._token, "POST", f"{ML}/{path}", body=body)
        assert reply.status == 200, (path, reply.body)
        made: dict[str, Any] = msgspec.json.decode(reply.body)
        return made


def _tags() -> list[dict[str, str]]:
    return [{"key": CANARY, "value": CANARY}]
