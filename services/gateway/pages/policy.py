"""What a browser may do with our pages: a policy for MLflow's application, a tighter one for ours."""

from collections.abc import Mapping
from typing import Final

# The address is told to ourselves alone. Not `no-referrer`: a form would be sent with `Origin: null`.
_SHARED: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Scripts of ours alone and nothing inline, so that text which becomes markup runs nothing. They may
# evaluate, as the plot that compares runs makes its shaders so. Styles are made as the application
# runs; it draws from data: and blob:, and shows a file in a frame, which is a blob: of its own.
_APPLICATION: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' blob:; connect-src 'self'; worker-src 'self'"
    " blob:; frame-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; object-src 'none'"
)
_SIGN_IN: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
APPLICATION: Final[Mapping[str, str]] = {**_SHARED, "content-security-policy": _APPLICATION}
SIGN_IN: Final[Mapping[str, str]] = {
    **_SHARED,
    "content-security-policy": _SIGN_IN,
    "cache-control": "no-store",
}
