"""Which service asks: services show a secret of their own to auth."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from starlette.requests import Request


def client_of(request: Request, clients: Mapping[str, str]) -> str | None:
    """The service that asks, None where it shows no secret that is known.

    The secret is compared in constant time, whether the name is known or not.
    """
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        pair = base64.b64decode(encoded, validate=True).decode() if scheme == "Basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        pair = ""
    # Both halves are form-encoded before they are joined (RFC 6749, 2.3.1).
    name, _, secret = (unquote_plus(part) for part in pair.partition(":"))
    known = clients.get(name)
    expected = known if known is not None else "\x00"
    if not hmac.compare_digest(secret.encode(), expected.encode()) or known is None:
        return None
    return name
