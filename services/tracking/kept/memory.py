"""The first level: what runs show, in this process, as many bytes of it as a setting says."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from uuid import UUID

# Of an entry besides its bytes: key, stamp and their places.
ENTRY_BYTES: Final = 500
# No run may push all others out.
LARGEST_SHARE: Final = 16


@dataclass(frozen=True, slots=True)
class Shown:
    """A run as JSON: `whole` where it is asked for alone, `listed` on a page of a search."""

    whole: bytes
    listed: bytes

    @property
    def size(self) -> int:
        """How many bytes it takes; mostly both are one."""
        return len(self.whole) + (len(self.listed) if self.listed is not self.whole else 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a run in this workspace shows, for as long as its stamp is that one."""

    workspace_id: int
    stamp: bytes
    shown: Shown


class Memory:
    """Entries by tenant and run; the one that was longest not asked for goes first."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        # A UUID's number, as hashing a UUID takes three times as long.
        self._entries: OrderedDict[tuple[int, int], Entry] = OrderedDict()
        self.bytes = 0

    def get(self, tenant_no: int, workspace_id: int, run: UUID, stamp: bytes) -> Shown | None:
        """What a run shows; None where that is not known of this stamp."""
        key = tenant_no, run.int
        entry = self._entries.get(key)
        if entry is None or entry.stamp != stamp or entry.workspace_id != workspace_id:
            return None
        self._entries.move_to_end(key)
        return entry.shown

    def put(self, tenant_no: int, run: UUID, entry: Entry) -> None:
        """Keep an entry in place of the run's last one, unless it is very large."""
        self.drop(tenant_no, run)
        if _size(entry) > self._most // LARGEST_SHARE:
            return
        self._entries[tenant_no, run.int] = entry
        self.bytes += _size(entry)
        while self.bytes > self._most:
            _, gone = self._entries.popitem(last=False)
            self.bytes -= _size(gone)

    def drop(self, tenant_no: int, run: UUID) -> None:
        """Forget a run."""
        gone = self._entries.pop((tenant_no, run.int), None)
        if gone is not None:
            self.bytes -= _size(gone)


def _size(entry: Entry) -> int:
    return ENTRY_BYTES + entry.shown.size
