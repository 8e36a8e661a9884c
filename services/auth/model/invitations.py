"""The rules of invitations: who may still accept one, and with what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.errors import Refusal, missing

MOST_DAYS: Final = 14
DEFAULT_DAYS: Final = 7
# Passwords that may be shown with an invitation, and for a login with all of a tenant's in a day.
MOST_TRIES: Final = 5
OPERATOR: Final = "operator:"
UNKNOWN: Final = "No such invitation; look whether the code was copied whole, or ask for another."
_ASK: Final = "Ask whoever invited you for another."


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation as it stands; `status` is `open`, `accepted`, `revoked` or `expired`."""

    tenant_no: int
    tenant_id: UUID
    tenant: str
    invitation_id: UUID
    login: str
    role: str | None
    made_by: str
    status: str
    version: int
    created_at: datetime
    expires_at: datetime

    @property
    def by_operator(self) -> bool:
        """Whether the platform's operator made it, which holds nothing in the tenant."""
        return self.made_by.startswith(OPERATOR)

    def insist_open(self) -> None:
        """Refuse what cannot be accepted any more, saying why."""
        if self.status == "accepted":
            raise conflict(f"This invitation was accepted before. Sign in as {self.login}.")
        if self.status == "revoked":
            raise conflict(f"This invitation was taken back. {_ASK}")
        if self.status == "expired":
            raise conflict(f"This invitation has expired. {_ASK}")


def conflict(message: str) -> Refusal:
    """It stands otherwise than it must for this: 409."""
    return Refusal("RESOURCE_CONFLICT", message)


def no_invitation(invitation_id: UUID) -> Refusal:
    """None of that id in the tenant."""
    return missing(f"Invitation with id={invitation_id} not found")
