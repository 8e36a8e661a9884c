"""Settings are read from a mapping, and what is wrong with one is said by its variable."""

import msgspec
import pytest

from libs.common.settings import Common, SettingsError, Shared, load


class Kitchen(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a made-up service."""

    url: str
    ovens: int
    hot: bool = False
    minutes: float = 2.5


def test_values_are_read_by_their_kind() -> None:
    env = {"KITCHEN_URL": "x", "KITCHEN_OVENS": "3", "KITCHEN_HOT": "true", "OTHER_OVENS": "9"}
    assert load(Kitchen, "kitchen", env) == Kitchen(url="x", ovens=3, hot=True, minutes=2.5)


def test_every_absent_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match="Set KITCHEN_URL, KITCHEN_OVENS"):
        load(Kitchen, "kitchen", {"KITCHEN_HOT": "true"})


def test_a_malformed_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="KITCHEN_OVENS"):
        load(Kitchen, "kitchen", {"KITCHEN_URL": "x", "KITCHEN_OVENS": "many"})


def test_a_text_that_looks_like_a_number_stays_a_text() -> None:
    assert load(Kitchen, "kitchen", {"KITCHEN_URL": "12", "KITCHEN_OVENS": "1"}).url == "12"


def test_settings_cannot_be_changed_after_they_are_read() -> None:
    kitchen = load(Kitchen, "kitchen", {"KITCHEN_URL": "x", "KITCHEN_OVENS": "1"})
    with pytest.raises(AttributeError):
        kitchen.ovens = 5  # type: ignore[misc]


def test_a_service_needs_its_user_at_the_broker() -> None:
    with pytest.raises(SettingsError, match="PROBE_KAFKA_USERNAME, PROBE_KAFKA_PASSWORD"):
        load(Common, "probe", {})


def test_a_process_is_named_by_its_host_unless_it_is_told() -> None:
    env = {"MAESTRO_KAFKA_BOOTSTRAP": "k:1"}
    assert load(Shared, "MAESTRO", env).member()
    assert load(Shared, "MAESTRO", env | {"MAESTRO_INSTANCE": "two"}).member() == "two"
