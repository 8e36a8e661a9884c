"""Failpoints: named places where a fault test may end the process; they do nothing otherwise."""

import os
import signal
from collections.abc import Mapping

KILL_EXIT = signal.SIGKILL

_armed: dict[str, int] = {}


class FailpointsRefused(Exception):
    """Failpoints were asked for in a production image."""


def arm(points: str, *, image: str) -> None:
    """Arm failpoints written as `name=N,name=N`: at its N-th passing, the process kills itself.

    Raises FailpointsRefused in a production image, where nothing may end a process on request.
    """
    if not points:
        return
    if image == "production":
        raise FailpointsRefused("MAESTRO_FAILPOINTS is refused in a production image; unset it.")
    for point in points.split(","):
        name, _, passing = point.partition("=")
        _armed[name.strip()] = int(passing or "1")


def reach(name: str) -> None:
    """Pass the failpoint `name`; ends this process with SIGKILL when its turn has come."""
    if not _armed or name not in _armed:
        return
    _armed[name] -= 1
    if _armed[name] <= 0:
        os.kill(os.getpid(), KILL_EXIT)


def armed_points(env: Mapping[str, str]) -> str:
    """The failpoints that `env` asks for, empty when none."""
    return env.get("MAESTRO_FAILPOINTS", "")
