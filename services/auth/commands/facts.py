"""The facts of auth, made from what was stored."""

from libs.common.contracts.auth import Token
from services.auth.model.credential import subject_of
from services.auth.store.identity import StoredToken


def token_state(stored: StoredToken) -> Token:
    """A token as facts carry it: no secret, no digest."""
    expires_at = stored.expires_at
    return Token(
        token_id=str(stored.token_id),
        name=stored.name,
        subject=subject_of(stored.user_id),
        expires_at=None if expires_at is None else int(expires_at.timestamp() * 1000),
    )
