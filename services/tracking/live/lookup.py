"""What facts do not tell: the experiment that a run is in, and the latest of many points."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from libs.common.service import Running
from services.tracking.live.items import Item
from services.tracking.queries.live import experiments_of, latest_of

_MOST_RUNS: Final = 50_000


class Lookup:
    """Reads it from the database, and remembers in which experiments runs are, which never changes."""

    def __init__(self) -> None:
        self._experiment_of: OrderedDict[tuple[int, str], int] = OrderedDict()

    def experiment_of(self, tenant_no: int, run_id: str) -> int | None:
        """The experiment of a run, None where that is not known here."""
        return self._experiment_of.get((tenant_no, run_id))

    async def complete(self, running: Running, items: Iterable[Item]) -> None:
        """Put into items what their facts do not tell; a refusal where the database is away."""
        by_tenant: dict[int, list[Item]] = {}
        for item in items:
            self._place(item)
            if item.unread or item.experiment_id is None:
                by_tenant.setdefault(item.tenant_no, []).append(item)
        for tenant_no, lacking in by_tenant.items():
            await self._read(running, tenant_no, lacking)

    def _place(self, item: Item) -> None:
        if item.experiment_id is None:
            item.experiment_id = self.experiment_of(item.tenant_no, item.run_id)
            return
        self._experiment_of[item.tenant_no, item.run_id] = item.experiment_id
        if len(self._experiment_of) > _MOST_RUNS:
            self._experiment_of.popitem(last=False)

    async def _read(self, running: Running, tenant_no: int, items: Sequence[Item]) -> None:
        unplaced = sorted({item.run_id for item in items if item.experiment_id is None})
        unread: dict[str, dict[str, None]] = {}
        for item in items:
            if item.unread:
                unread.setdefault(item.run_id, {}).update(dict.fromkeys(item.unread))
        async with running.database.reading(tenant_no) as connection:
            placed = await experiments_of(connection, tenant_no, unplaced) if unplaced else {}
            latest = (
                await latest_of(connection, tenant_no, {run: list(k) for run, k in unread.items()})
                if unread
                else {}
            )
        told = {run_id: len(points) for run_id, points in latest.items()}
        for item in items:
            if item.experiment_id is None:
                item.experiment_id = placed.get(item.run_id, -1)
                self._place(item)
            if item.unread:
                # Told once, with the first of the facts that they are of; all of these count them.
                item.points = latest.pop(item.run_id, ())
                counted = min(item.left_out, told[item.run_id])
                told[item.run_id] -= counted
                item.left_out -= counted
                item.unread = {}
