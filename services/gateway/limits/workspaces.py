"""Workspaces that a credential names and may not enter, counted before auth is asked again."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from libs.common.errors import Refusal
from libs.common.failures import Failures
from services.gateway.credentials import WorkspaceRejected

MOST_UNKNOWN: Final = 60


class UnknownWorkspaces:
    """After so many in a minute a credential may only work in workspaces it has been in.

    One that auth is being asked about counts as unknown until the answer is there. Counted in this
    process, by the digest of the credential.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = Failures(clock)
        self._under_way: Counter[bytes] = Counter()

    @contextmanager
    def asked(self, credential: bytes) -> Iterator[None]:
        """Auth is asked in the block whether the credential may enter a workspace; 429 before that
        where too many of its workspaces were unknown.
        """
        failed = self._failures.count(credential)
        if failed + self._under_way[credential] >= MOST_UNKNOWN:
            raise _slowed(self._failures.seconds_left(credential) if failed else 1)
        self._under_way[credential] += 1
        try:
            yield
        except WorkspaceRejected:
            self._failures.add(credential)
            raise
        finally:
            self._under_way[credential] -= 1
            if not self._under_way[credential]:
                del self._under_way[credential]


def _slowed(seconds: int) -> Refusal:
    return Refusal(
        "RESOURCE_EXHAUSTED",
        f"More than {MOST_UNKNOWN} workspaces that your credential may not enter were named in a"
        f" minute; try again in {seconds} s. Check MLFLOW_WORKSPACE (the header"
        " X-MLFLOW-WORKSPACE).",
        retry_after=seconds,
    )
