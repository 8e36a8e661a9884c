"""auth's variables: malformed ones are refused in words that name them."""

import pytest

from libs.common.settings import SettingsError, load
from services.auth.settings import Settings

GOOD = {
    "AUTH_KEY_ENCRYPTION_KEY": "A" * 43 + "=",
    "AUTH_CLIENT_SECRETS": "gateway=0123456789abcdef, registry=fedcba9876543210=",
}


def test_clients_are_read_with_whatever_a_secret_may_hold() -> None:
    settings = load(Settings, "auth", GOOD)
    assert settings.clients() == {
        "gateway": "0123456789abcdef",
        "registry": "fedcba9876543210=",
    }
    assert settings.encryption_key() == bytes(32)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("AUTH_CLIENT_SECRETS", "", "AUTH_CLIENT_SECRETS holds nobody"),
        ("AUTH_CLIENT_SECRETS", "gateway", "secret of 'gateway' is shorter"),
        ("AUTH_CLIENT_SECRETS", "gateway=short", "secret of 'gateway' is shorter"),
        ("AUTH_KEY_ENCRYPTION_KEY", "short", "AUTH_KEY_ENCRYPTION_KEY must be 32 bytes"),
    ],
)
def test_malformed_variables_are_named(variable: str, value: str, reason: str) -> None:
    settings = load(Settings, "auth", {**GOOD, variable: value})
    with pytest.raises(SettingsError, match=reason):
        (settings.clients(), settings.encryption_key())
