"""The facts of auth, made from what was stored."""

from libs.common.contracts.auth import Token
from services.auth.model.credential import subject_of
from services.auth.store.identity import StoredToken


def token_state(stored: StoredToken) -> Token:
    """A token as facts carry it: no secret, no digest."""
    return Token(
        token_id=str(stored.token_id),
        name=stored.name,
        subject=subject_of(stored.user_id, stored.user_kind),
        expires_at=int(stored.expires_at.timestamp() * 1000),
        scopes=list(stored.scopes),
        networks=list(stored.networks),
        rotated_from=None if stored.rotated_from is None else str(stored.rotated_from),
    )
