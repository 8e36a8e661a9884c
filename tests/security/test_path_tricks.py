"""Every path trick in every place that takes a path: nothing outside is read, changed or removed."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from libs.common.http.calling import Reply
from tests.security.hostile.places import FILES, ML, PLACES, Place
from tests.security.hostile.target import Target, things_of
from tests.security.hostile.tricks import PLAIN, TRICKS, Aim
from tests.security.matrix.things import Things

_AT_THE_SAME_TIME: Final = 8
# Every trick in every place comes with one aim; with this variable it comes with all of them.
ALL_AIMS: Final = "FUZZ_CASES" in os.environ
_UP: Final = "../" * 24


@dataclass(frozen=True)
class Watch:
    """What must stay as it is: a file beside the store, and another tenant's artifact."""

    target: Target
    things: Things
    theirs: str
    secrets: tuple[bytes, bytes]
    aims: tuple[Aim, ...]

    async def faults(self, trick: str, name: str, place: Place) -> list[str]:
        """What is wrong with the answers to a trick in a place."""
        number = list(TRICKS).index(trick) + list(PLACES).index(name)
        aims = self.aims if ALL_AIMS else [self.aims[number % len(self.aims)]]
        found = []
        for aim in aims:
            written = TRICKS[trick](aim)
            answer = await self._asked(place, written)
            if answer is not None and answer.status == 200 and place.below:
                answer = await self._read_by(answer)
            harmless = trick in PLAIN or place.names or place.stays_inside(written)
            found += [f"{name}: {trick}: {fault}" for fault in self._faults(answer, harmless)]
        return found

    async def _asked(self, place: Place, trick: str) -> Reply | None:
        things = self.things.with_new_names()
        known = Place(
            place.method,
            things.filled(place.target),
            None if place.body is None else things.body(place.body),
            place.headers and {k: things.filled(v) for k, v in place.headers.items()},
            encoded=place.encoded,
        )
        target, body, lines = known.request(trick)
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        head = self.target.head(self.target.token, place.method, target, lines)
        return await self.target.exchange(head, body)

    async def _read_by(self, made: Reply) -> Reply:
        """What somebody reads by a version that was made, which must lie in the run."""
        version = msgspec.json.decode(made.body)["model_version"]
        filled = self.things.filled
        root = filled("<experiment>/<run>/artifacts/")
        query = f"name={version['name']}&version={version['version']}"
        token = self.target.token
        uri = await self.target.ask(token, "GET", f"{ML}/model-versions/get-download-uri", query)
        found = msgspec.json.decode(uri.body)["artifact_uri"]
        assert found.startswith((f"mlflow-artifacts:/{root}", filled("runs:/<run>/"))), found
        query += "&path=canary.txt"
        return await self.target.ask(token, "GET", "/model-versions/get-artifact", query)

    def _faults(self, answer: Reply | None, harmless: bool) -> Iterator[str]:
        if answer is None:
            yield "the connection ended without an answer"
            return
        shown = answer.body[:200]
        if any(secret in answer.body for secret in self.secrets):
            yield f"shows what lies outside: {shown!r}"
        # 501: a store that signs no URLs, asked for a plain name.
        if answer.status in range(500, 600) and not (answer.status == 501 and harmless):
            yield f"answered {answer.status}: {shown!r}"
        if answer.status == 429:
            yield f"answered {answer.status}: {shown!r}"
        if answer.status < 400 and not harmless:
            yield f"accepted with {answer.status}: {shown!r}"

    async def changed(self) -> list[str]:
        """What is not as it was."""
        outside, artifact = self.secrets
        found = []
        if self._beside_the_store() != {"canary.txt": outside}:
            found.append(f"beside the store: {self._beside_the_store()}")
        theirs = await self.target.ask(
            self.target.stranger, "GET", f"{FILES}/artifacts/{self.theirs}"
        )
        if theirs.body != artifact:
            found.append(f"the other tenant's artifact: {theirs}")
        return found

    def _beside_the_store(self) -> dict[str, bytes]:
        folder = self.target.folder
        files = (file for file in folder.rglob("*") if file.is_file())
        return {
            str(file.relative_to(folder)): file.read_bytes()
            for file in files
            if not file.is_relative_to(folder / "store")
        }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def watch(target: Target) -> Watch:
    """An owner's things, and what lies outside of them."""
    outside, artifact = uuid4().hex.encode(), uuid4().hex.encode()
    canary = target.folder / "canary.txt"
    canary.write_bytes(outside)
    strange = (await things_of(target, target.stranger, {"run"})).words
    theirs = f"{strange['experiment']}/{strange['run']}/artifacts/canary.txt"
    put = await target.ask(target.stranger, "PUT", f"{FILES}/artifacts/{theirs}", raw=artifact)
    assert put.status == 200, put
    stored = _holding(artifact, target.folder / "store")
    return Watch(
        target,
        await things_of(target, target.token),
        theirs,
        (outside, artifact),
        (
            Aim(_UP + str(canary)[1:], str(canary)),
            Aim(_UP + str(stored)[1:], str(stored)),
            Aim(f"../../../../../{'/'.join(stored.parts[-6:])}", str(stored)),
        ),
    )


def _holding(content: bytes, store: Path) -> Path:
    return next(f for f in store.rglob("*") if f.is_file() and f.read_bytes() == content)


def test_the_other_tenants_things_are_told_apart(watch: Watch) -> None:
    assert len({aim.absolute for aim in watch.aims}) == 2


@pytest.mark.parametrize("name", PLACES)
async def test_no_trick_gets_out_of_a_place(name: str, watch: Watch) -> None:
    turns = asyncio.Semaphore(_AT_THE_SAME_TIME)

    async def tried(trick: str) -> list[str]:
        async with turns:
            return await watch.faults(trick, name, PLACES[name])

    faults = await asyncio.gather(*map(tried, TRICKS))
    found = [*itertools.chain(*faults), *await watch.changed()]
    assert not found, "\n".join(found)
