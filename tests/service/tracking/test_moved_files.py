"""A file that is written while its workspace is cleared is not lost to an older one of its path."""

from typing import Any

import pytest

from libs.common.leaving import Leaving
from services.tracking.commands import workspaces as commands
from services.tracking.commands.workspaces import sweep
from services.tracking.store import workspaces as store
from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.test_quotas import used
from tests.service.tracking.test_workspaces import TEAM, Inside, file, put
from tests.serving import Client


@pytest.mark.parametrize("also_after", [True, False])
async def test_of_two_files_of_one_path_the_later_one_outlives_the_move(
    client: Client, monkeypatch: pytest.MonkeyPatch, also_after: bool
) -> None:
    inside = Inside(client)
    experiment_id = await new_experiment(inside)
    run_id = await new_run(inside, experiment_id)
    path = f"{experiment_id}/{run_id}/artifacts/latest.ckpt"
    move_runs = store.move_runs
    written: list[str] = []

    async def after_a_late_upload(*given: Any) -> Any:
        if not written:
            written.append(path)
            await put(inside, path, b"second")
        return await move_runs(*given)

    await put(inside, path, b"first")
    await put(inside, f"{path}.json", b"{}")
    monkeypatch.setattr(store, "move_runs", after_a_late_upload)
    monkeypatch.setattr(commands, "FILES", 1)
    leaving = Leaving(
        client.tenant.number,
        TEAM,
        client.tenant.id,
        "team",
        "SET_DEFAULT",
        "user:deleter",
        4,
        False,
    )
    await sweep(client.running, leaving)
    assert (written, await file(client, path)) == ([path], (200, b"first"))
    if also_after:
        await put(client, path, b"the third")
    await sweep(client.running, leaving)
    last = b"the third" if also_after else b"second"
    assert await file(client, path) == (200, last)
    assert await used(client) == (1, len(last) + len(b"{}"))
