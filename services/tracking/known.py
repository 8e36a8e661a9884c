"""What is remembered of experiments and of what lies in them, so that decisions seldom ask.

A run or logged model never leaves its experiment, so that is remembered for as long as there is
room. An experiment's name and owner change: a newer version replaces an older one, and each is
believed for a minute. Every key begins with tenant and workspace.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from libs.common.access.selection import Selection

BELIEVED_SECONDS: Final = 60.0
MOST_EXPERIMENTS: Final = 20_000
MOST_CONTENTS: Final = 50_000
MOST_COUNTS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Governing:
    """Of an experiment, what decides about it and all that lies in it, as of one version."""

    experiment_id: int
    version: int
    name: str
    owner: str


class Known:
    """Experiments by their ids, and by the runs and logged models in them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._experiments: OrderedDict[tuple[int, int, int], tuple[float, Governing]]
        self._experiments = OrderedDict()
        self._contents: OrderedDict[tuple[int, int, UUID], int] = OrderedDict()
        self._counts: OrderedDict[tuple[int, int, Selection], tuple[float, int]] = OrderedDict()

    def experiment(self, tenant_no: int, workspace_id: int, experiment_id: int) -> Governing | None:
        """An experiment, None where it must be asked for."""
        found = self._experiments.get((tenant_no, workspace_id, experiment_id))
        if found is None or found[0] < self._clock():
            return None
        return found[1]

    def around(self, tenant_no: int, workspace_id: int, content: UUID) -> Governing | None:
        """The experiment that a run or logged model lies in, None where it must be asked for."""
        key = tenant_no, workspace_id, content
        experiment_id = self._contents.get(key)
        if experiment_id is None:
            return None
        self._contents.move_to_end(key)
        return self.experiment(tenant_no, workspace_id, experiment_id)

    def learn(
        self, tenant_no: int, workspace_id: int, told: Governing, content: UUID | None = None
    ) -> None:
        """An experiment as it was just read or told of, and a run or logged model in it."""
        key = tenant_no, workspace_id, told.experiment_id
        before = self._experiments.get(key)
        if before is None or before[1].version <= told.version:
            # What was read before a change, and comes after the word of it, is passed over.
            self._experiments[key] = self._clock() + BELIEVED_SECONDS, told
            self._experiments.move_to_end(key)
            if len(self._experiments) > MOST_EXPERIMENTS:
                self._experiments.popitem(last=False)
        if content is not None:
            self._contents[tenant_no, workspace_id, content] = told.experiment_id
            if len(self._contents) > MOST_CONTENTS:
                self._contents.popitem(last=False)

    def count(self, tenant_no: int, workspace_id: int, selection: Selection) -> int | None:
        """About how many experiments are selected, None where they must be counted."""
        found = self._counts.get((tenant_no, workspace_id, selection))
        return None if found is None or found[0] < self._clock() else found[1]

    def counted(self, tenant_no: int, workspace_id: int, selection: Selection, count: int) -> None:
        """Experiments were counted: good for a minute, as an estimate."""
        key = tenant_no, workspace_id, selection
        self._counts[key] = self._clock() + BELIEVED_SECONDS, count
        self._counts.move_to_end(key)
        if len(self._counts) > MOST_COUNTS:
            self._counts.popitem(last=False)

    def forget_experiments(self) -> None:
        """Changes may have been missed: every experiment is asked for anew."""
        self._experiments.clear()
