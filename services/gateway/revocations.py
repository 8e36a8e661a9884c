"""Which tokens and workspaces ended lately, and since when this process hears of that."""

import time
from collections.abc import Callable
from typing import Final

from libs.common.principal import LEEWAY_SECONDS, LIFETIME_SECONDS

# Longer than anything minted before the revocation can live: its principal's life, the leeway of
# clocks, and an exchange that was under way.
REMEMBERED_SECONDS: Final = LIFETIME_SECONDS + LEEWAY_SECONDS + 30
MOST_REMEMBERED: Final = 50_000


class Revocations:
    """The ids of tokens revoked, and workspaces deleted, in the last two minutes.

    `forget_everything` is called where the caches can no longer be trusted: when the broadcast
    was (re)connected, as what was said before that was missed, and when there are more
    revocations than are remembered.
    """

    def __init__(
        self, forget_everything: Callable[[], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._forget_everything = forget_everything
        self._clock = clock
        self._revoked: dict[str, float] = {}
        self._listening_since = float("inf")

    def heard(self, token_id: str) -> None:
        """A token was revoked."""
        now = self._clock()
        self._drop_old(now)
        if len(self._revoked) >= MOST_REMEMBERED:
            self.connected()
        self._revoked[token_id] = now

    def workspace_deleted(self, tenant_no: int, workspace_id: int) -> None:
        """A workspace was deleted; its number is not given again."""
        self.heard(_workspace_key(tenant_no, workspace_id))

    def connected(self) -> None:
        """The broadcast is heard from now on."""
        self._listening_since = self._clock()
        self._revoked.clear()
        self._forget_everything()

    def covers(self, token_id: str) -> bool:
        """Whether the token is known to be revoked."""
        return token_id in self._revoked

    def covers_workspace(self, tenant_no: int, workspace_id: int) -> bool:
        """Whether the workspace is known to be deleted."""
        return _workspace_key(tenant_no, workspace_id) in self._revoked

    def would_have_heard(self, minted_at: float) -> bool:
        """Whether a revocation after `minted_at` would have reached this process."""
        return minted_at > self._listening_since + LEEWAY_SECONDS

    def _drop_old(self, now: float) -> None:
        # In the order of hearing, so the oldest stand first.
        while self._revoked:
            token_id, heard_at = next(iter(self._revoked.items()))
            if heard_at + REMEMBERED_SECONDS > now:
                return
            del self._revoked[token_id]


def _workspace_key(tenant_no: int, workspace_id: int) -> str:
    """What a deleted workspace is remembered by, among the ids of tokens, which are UUIDs."""
    return f"workspace:{tenant_no}/{workspace_id}"
