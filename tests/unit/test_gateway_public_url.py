"""Where clients reach the gateway: as they asked, https where a trusted proxy says so, or as set."""

from typing import Any

import pytest

from libs.common.settings import SettingsError
from services.gateway.addresses import networks_of, url_as_asked
from services.gateway.settings import Settings

PROXIES = networks_of("10.0.0.0/8")


def asked(client: str | None, **headers: str) -> dict[str, Any]:
    return {
        "scheme": "http",
        "client": None if client is None else (client, 1),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }


@pytest.mark.parametrize(
    ("client", "proto", "scheme"),
    [
        ("10.1.2.3", "https", "https"),
        ("10.1.2.3", "http", "http"),
        ("10.1.2.3", "javascript", "http"),
        ("192.168.0.1", "https", "http"),
        (None, "https", "http"),
    ],
)
def test_only_a_trusted_proxy_says_how_a_client_came(
    client: str | None, proto: str, scheme: str
) -> None:
    scope = asked(client, host="ml.example:8080", x_forwarded_proto=proto)
    assert url_as_asked(scope, PROXIES) == f"{scheme}://ml.example:8080"


@pytest.mark.parametrize("url", ["https://ml.example", "http://[::1]:5000/a/b/", ""])
def test_an_address_of_the_web_is_taken(url: str) -> None:
    assert Settings(public_url=url).public_url == url


@pytest.mark.parametrize(
    "url", ["ml.example", "ftp://ml.example", "https://ml.example/?a", "https://"]
)
def test_another_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_PUBLIC_URL"):
        Settings(public_url=url)
