"""Where commits and reads meet what is kept of how runs are shown."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from libs.common.contracts.tracking import RUNS
from libs.common.principal import Principal
from libs.common.service import Running, Told
from services.tracking.kept.memory import Shown
from services.tracking.kept.runs import Load, Runs


async def changed(running: Running, runs: Iterable[tuple[int, UUID]]) -> None:
    """Runs (tenant, run) may show something else: after COMMIT, and before it is answered.

    Also where it is not known whether COMMIT came to pass.
    """
    await _runs(running).forget(runs)


async def outdate(running: Running, tenant_no: int, told: Told) -> None:
    """The same of the runs that facts are about; whoever logs points tells of them by itself."""
    runs = set(told.get(RUNS.name, ()))
    if runs:
        await changed(running, [(tenant_no, UUID(key)) for key in runs])


async def shown(
    running: Running, principal: Principal, runs: Sequence[UUID], load: Load
) -> Mapping[UUID, Shown]:
    """How runs of the caller's workspace are shown, without those that are not there."""
    place = principal.tenant_no, principal.workspace_id
    return await _runs(running).find(*place, runs, load)


def _runs(running: Running) -> Runs:
    # Not through `state`, which knows the commands, which tell here what they have changed.
    runs: Runs = running.state.runs
    return runs
