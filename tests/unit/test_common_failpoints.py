"""Failpoints do nothing unless armed, and cannot be armed in a production image."""

import signal
import subprocess
import sys

import pytest

from libs.common import failpoints
from libs.common.failpoints import FailpointsRefused, arm, reach

KILLED = -signal.SIGKILL
PASSING = """
from libs.common.failpoints import arm, reach
arm({points!r}, image="")
for _ in range(5):
    reach("write.before-commit")
    print("passed", flush=True)
"""


def passings(points: str) -> tuple[int, int]:
    """How often a process with `points` armed passes, and how it ends."""
    done = subprocess.run(
        [sys.executable, "-c", PASSING.format(points=points)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.count("passed"), done.returncode


def test_the_process_kills_itself_at_the_passing_asked_for() -> None:
    assert passings("write.before-commit=3") == (2, KILLED)
    assert passings("relay.after-publish=1, write.before-commit=1") == (0, KILLED)
    assert passings("write.before-commit") == (0, KILLED)


def test_others_points_and_none_at_all_do_nothing() -> None:
    assert passings("relay.before-publish=1") == (5, 0)
    assert passings("") == (5, 0)
    reach("write.before-commit")


def test_a_production_image_refuses_them() -> None:
    with pytest.raises(FailpointsRefused, match="production image"):
        arm("write.before-commit=1", image="production")
    assert not failpoints._armed


def test_a_production_image_runs_without_them() -> None:
    arm("", image="production")
    assert not failpoints._armed
