"""The session of somebody who signed in on the web pages: its cookie, and which calls it counts for.

A browser sends a cookie with whatever any page has it ask. So a call made with one must come from
our own pages, by what the browser says of it, unless it only opens a page.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from libs.common.errors import denied, unauthenticated
from libs.common.http.types import Scope, header
from services.gateway.addresses import Networks, address_of, inside

SESSION: Final = re.compile(r"mss_[0-9A-Za-z]{36}", re.ASCII)
NEEDS_HTTPS: Final = (
    "Signing in takes https here: over plain http anybody on the way could read the session. Put a"
    " proxy that speaks TLS before the gateway and name its network in GATEWAY_TRUSTED_PROXIES. On the"
    " machine itself plain http will do, at http://127.0.0.1 or http://localhost."
)
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME: Final = "maestro-session"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a browser has us: `origin` as it names our pages, and the name of the session's cookie.

    `cookie` is '' where no session is taken: over plain http, but on the machine itself.
    """

    origin: str
    cookie: str
    secure: bool

    def kept(self, session: str, seconds: int) -> str:
        """The Set-Cookie that keeps a session; '' and 0 drop it."""
        secure = "; Secure" if self.secure else ""
        # Lax, so that a link to a run opens for whoever is signed in.
        return f"{self.cookie}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def place_of(scope: Scope, proxies: Networks) -> Place:
    """Where the request's browser has us, by its Host and by what a trusted proxy says of TLS."""
    host = (header(scope["headers"], b"host") or b"").decode("latin-1").lower()
    if _is_secure(scope, proxies):
        # The prefix keeps everybody else from setting it: no other host, no plain http.
        return Place(f"https://{host}", f"__Host-{_NAME}", secure=True)
    name, port = _parts(host)
    # Cookies are not kept apart by port: two platforms on one machine are, by the name.
    cookie = f"{_NAME}-{port}" if name in _LOOPBACK else ""
    return Place(f"http://{host}", cookie, secure=False)


def session_in(headers: Iterable[tuple[bytes, bytes]], place: Place) -> str | None:
    """The session in a request's cookies, None where there is none.

    Raises a 401 refusal for several, of which one may be somebody else's, and for what is none.
    """
    if not place.cookie:
        return None
    found = [value for name, value in _cookies(headers) if name == place.cookie]
    if not found:
        return None
    if len(found) > 1:
        raise unauthenticated(
            "Several session cookies came, so it is not known whose this is. Remove the cookies of"
            " this site, and sign in again."
        )
    if not SESSION.fullmatch(found[0]):
        raise unauthenticated("The session cookie holds no session: sign in again.")
    return found[0]


def insist_own_page(scope: Scope, place: Place) -> None:
    """Refuse what a page of somebody else has the browser ask, with a 403.

    What changes something must say that it comes from our pages: by Origin, or by Sec-Fetch-Site
    where the browser sends no Origin. What only reads may say nothing, or open a page.
    """
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    site = header(scope["headers"], b"sec-fetch-site")
    if scope["method"] not in _SAFE:
        own = origins == [place.origin.encode("latin-1")]
        if not own and (origins or site != b"same-origin"):
            raise denied(
                "A session counts for calls of our own pages alone, and this one does not say that it"
                " is one (Origin). Programs send a token: Authorization: Bearer …"
            )
    if site in (b"cross-site", b"same-site") and not _opens_a_page(scope):
        raise denied("A session counts for calls of our own pages alone; another one made this.")


def _opens_a_page(scope: Scope) -> bool:
    return (
        scope["method"] in _SAFE
        and header(scope["headers"], b"sec-fetch-mode") == b"navigate"
        and header(scope["headers"], b"sec-fetch-dest") == b"document"
    )


def _is_secure(scope: Scope, proxies: Networks) -> bool:
    if scope.get("scheme") == "https":
        return True
    peer: Sequence[object] | None = scope.get("client")
    address = address_of(str(peer[0])) if peer else None
    if not proxies or not inside(address, proxies):
        return False
    told = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    # The last one is of the proxy that is trusted; what stands before it anybody can have written.
    return bool(told) and told[-1].rpartition(b",")[2].strip().lower() == b"https"


def _parts(host: str) -> tuple[str, int]:
    try:
        found = urlsplit(f"//{host}")
        name, port = found.hostname, found.port
    except ValueError:
        return "", 0
    return name or "", port or 80


def _cookies(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    found = []
    for name, value in headers:
        if name == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                found.append((key.strip(), text.strip()))
    return found
