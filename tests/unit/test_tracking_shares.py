"""Whose messages are ingested: named once a window, and only where they are read late."""

from services.tracking.model.shares import BEHIND_SECONDS, WINDOW_SECONDS, Behind, Shares


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def taken(shares: Shares, **sizes: int) -> None:
    for tenant, size in sizes.items():
        shares.add(tenant, size)


def test_the_largest_are_named_once_a_window() -> None:
    clock = Time()
    shares = Shares(clock, lambda: 1_000.0)
    taken(shares, a=10, b=700, c=200, d=90)
    assert shares.told(0) is None
    clock.seconds += WINDOW_SECONDS
    assert shares.told(950_000) == Behind(50, {"b": 70, "c": 20, "d": 9})
    taken(shares, a=1)
    assert shares.told(950_000) is None
    clock.seconds += WINDOW_SECONDS
    assert shares.told(950_000) == Behind(50, {"a": 100})


def test_nobody_is_named_where_what_comes_is_read_soon() -> None:
    clock = Time()
    shares = Shares(clock, lambda: 1_000.0)
    taken(shares, a=10)
    clock.seconds += WINDOW_SECONDS
    assert shares.told(int(1_000 * (1_001 - BEHIND_SECONDS))) is None
    clock.seconds += WINDOW_SECONDS
    assert shares.told(0) is None
