"""What slows guessing holds little memory, however many guess, and tells addresses apart."""

import pytest

from libs.common import failures as failures_module
from libs.common.errors import Refusal
from libs.common.failures import WINDOW_SECONDS, Failures
from services.gateway.addresses import client_address, networks_of, vicinity
from services.gateway.backoff import MOST_OF_ADDRESS, MOST_OF_LOGIN, BackOff
from services.gateway.credentials import Presented
from tests.unit.gateway_doubles import Clock


def given(user: str, address: str = "192.0.2.1") -> Presented:
    """A user name with a password, from somewhere."""
    return Presented("Basic", "a wrong password", user, address)


async def test_a_window_begins_with_the_first_failure_and_then_is_over() -> None:
    clock = Clock()
    backoff = BackOff(None, clock)
    for _ in range(MOST_OF_LOGIN):
        backoff.admit(given("team/bob"))
        await backoff.failed(given("team/bob"))
        clock.now += 10
    with pytest.raises(Refusal) as refused:
        backoff.admit(given("BOB"))
    assert (refused.value.status, refused.value.retry_after) == (429, 11)
    backoff.admit(given("team/bob", "192.0.2.2"))
    backoff.admit(given("team/carol"))
    clock.now += 11
    backoff.admit(given("team/bob"))


async def test_tokens_are_none_of_its_business() -> None:
    backoff = BackOff(None)
    token = Presented("Basic", "mst_abc", None, "192.0.2.1")
    for _ in range(MOST_OF_ADDRESS * 2):
        backoff.begin(token)
        await backoff.failed(token)
    backoff.admit(token)
    assert len(backoff._failures) == 0


async def test_all_logins_of_an_address_count_together() -> None:
    backoff = BackOff(None)
    for number in range(MOST_OF_ADDRESS):
        backoff.begin(given(f"user-{number}"))
    with pytest.raises(Refusal) as refused:
        backoff.begin(given("one more"))
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    for number in range(MOST_OF_ADDRESS):
        backoff.ended(given(f"user-{number}"))
    backoff.begin(given("one more"))
    backoff.ended(given("one more"))
    assert not backoff._under_way


async def test_memory_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures_module, "MOST_KEYS", 100)
    backoff = BackOff(None)
    for number in range(1000):
        await backoff.failed(given("bob", f"198.51.{number // 250}.{number % 250}"))
    assert len(backoff._failures) == 100
    failures = Failures()
    for number in range(101):
        failures.add(number)
    assert (failures.count(0), failures.count(1), failures.count(100)) == (0, 1, 1)
    assert WINDOW_SECONDS == 60


@pytest.mark.parametrize(
    ("peer", "headers", "proxies", "expected"),
    [
        ("192.0.2.1", ["10.0.0.1"], "", "192.0.2.1"),
        ("192.0.2.1", ["10.0.0.1"], "192.0.2.0/24", "10.0.0.1"),
        ("192.0.2.1", ["1.1.1.1, 10.0.0.1"], "192.0.2.0/24", "10.0.0.1"),
        ("192.0.2.1", ["1.1.1.1", "10.0.0.1, 192.0.2.2"], "192.0.2.0/24", "10.0.0.1"),
        ("192.0.2.1", ["192.0.2.3, 192.0.2.2"], "192.0.2.0/24", "192.0.2.3"),
        ("192.0.2.1", ["nonsense"], "192.0.2.0/24", "192.0.2.1"),
        ("192.0.2.1", [], "192.0.2.0/24", "192.0.2.1"),
        ("::ffff:192.0.2.1", ["10.0.0.1"], "192.0.2.0/24", "10.0.0.1"),
        ("::1", ["2001:db8::1"], "127.0.0.0/8, ::1/128", "2001:db8::1"),
        ("unix", ["10.0.0.1"], "192.0.2.0/24", None),
    ],
)
def test_a_forwarding_header_is_believed_as_far_as_proxies_are_trusted(
    peer: str, headers: list[str], proxies: str, expected: str | None
) -> None:
    sent = [(b"x-forwarded-for", value.encode()) for value in headers]
    found = client_address((peer, 1), sent, networks_of(proxies))
    assert (None if found is None else str(found)) == expected


def test_one_ipv6_host_is_one_vicinity() -> None:
    assert vicinity("2001:db8::1") == vicinity("2001:db8::ffff") != vicinity("2001:db8:0:1::1")
    assert vicinity("::ffff:192.0.2.1") != vicinity("192.0.2.2")
    assert client_address(None, [], networks_of("0.0.0.0/0")) is None
