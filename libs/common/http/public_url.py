"""Where clients reach the platform: told by the gateway to a service that answers with a URL of ours."""

from typing import Final

from libs.common.http.types import Scope

# The gateway drops what clients send under such names.
PUBLIC_URL_HEADER: Final = "x-maestro-public-url"


def public_url(scope: Scope) -> str:
    """The start of every public URL, without a slash at its end; the service's own without gateway."""
    headers = dict(scope["headers"])
    told = headers.get(PUBLIC_URL_HEADER.encode())
    if told is not None:
        return str(told.decode("latin-1"))
    return f"{scope['scheme']}://{headers.get(b'host', b'localhost').decode('latin-1')}"
