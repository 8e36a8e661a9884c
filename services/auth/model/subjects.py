"""Whom rules are about: a member of a tenant, as decisions about roles and grants need it."""

from dataclasses import dataclass
from uuid import UUID

from services.auth.model.credential import subject_of


@dataclass(frozen=True, slots=True)
class Subject:
    """A user in one tenant; `kind` is `person` or `service`, `role` None where it has none."""

    user_id: UUID
    kind: str
    login: str
    display_name: str
    role: str | None
    status: str
    version: int

    @property
    def subject(self) -> str:
        """How it is named in principals, facts and grants."""
        return subject_of(self.user_id, self.kind)
