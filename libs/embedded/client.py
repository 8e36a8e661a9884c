"""What a client of the platform in a data folder needs: its address and a token."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from libs.embedded.errors import Problem
from libs.embedded.home import Home
from libs.embedded.ports import HOST, kept_ports

UNAUTHENTICATED = 401
TOKENS_PATH = "/api/maestro/v1/tokens"
LINKS_PATH = "/api/maestro/v1/sign-in-links"


def gateway_url(home: Home) -> str:
    """The gateway's address."""
    return f"http://{HOST}:{kept_ports(home.path)['gateway']}"


def access(home: Home) -> tuple[str, str]:
    """Address and first token; raises Problem when no platform was ever ready here."""
    if not home.used or not home.first_token.exists():
        raise Problem(f"No platform was ever started in {home.path}. Start one with: make up")
    return gateway_url(home), home.first_token.read_text(encoding="utf-8").strip()


def new_token(home: Home, name: str) -> str:
    """Another token, made by the running platform; raises Problem when that cannot be had."""
    return str(_asked(home, TOKENS_PATH, {"name": name})["token"])


def sign_in_link(home: Home) -> str:
    """A link that signs in on the web pages once; raises Problem when that cannot be had."""
    return gateway_url(home) + str(_asked(home, LINKS_PATH, {})["path"])


def _asked(home: Home, path: str, body: Mapping[str, str]) -> dict[str, Any]:
    url, token = access(home)
    request = urllib.request.Request(  # noqa: S310 - our own gateway's address
        url + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        # Straight to loopback: a proxy of the environment must not see the token.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == UNAUTHENTICATED:
            raise Problem(
                f"The first token, in {home.first_token}, is not accepted any more: it has expired"
                " or was revoked. Have another put there with: make first-token"
            ) from error
        said = error.read().decode(errors="replace")[:500]
        raise Problem(f"The platform at {url} refused: {error.code} {said}") from error
    except OSError as error:
        raise Problem(f"No platform answers at {url}. Start it with: make up") from error
    return found
