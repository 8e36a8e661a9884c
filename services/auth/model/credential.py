"""A credential as auth knows it, and the reasons for which it is not accepted."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Final
from uuid import UUID, uuid5

from libs.common.workspaces import DEFAULT_NAME

FIRST_WORKSPACE: Final = 1
ALL_SCOPES: Final = ("*",)


# What a subject begins with, by the kind of who it names.
_PREFIXES: Final = {"person": "user", "service": "service", "operator": "operator"}


def subject_of(user_id: UUID, kind: str = "person") -> str:
    """How a user, service account or operator is named everywhere: `user:…`, `service:…`, …"""
    return f"{_PREFIXES[kind]}:{user_id}"


def user_id_of(subject: str) -> UUID | None:
    """The user behind a subject, None where it names none."""
    kind, _, user_id = subject.partition(":")
    if kind not in ("user", "service"):
        return None
    try:
        return UUID(user_id)
    except ValueError:
        return None


def login_actor(user_id: UUID, password_version: int) -> str:
    """How a sign-in with a password is named where a token would be named by its id.

    It ends with the password: the next one is of another version.
    """
    return f"login:{user_id}:{password_version}"


def password_version_of(actor: str) -> int | None:
    """The version of the password that was signed in with; None for a token's id."""
    if user_of_login(actor) is None:
        return None
    return int(actor.rpartition(":")[2])


def operator_actor(operator_id: UUID, digest: bytes) -> str:
    """How an operator's token is named where a member's would be named by its id.

    It ends with the token: another one has another digest.
    """
    return str(uuid5(operator_id, digest.hex()))


def user_of_login(actor: str) -> UUID | None:
    """The user who signed in with a password, None where the actor is no such sign-in."""
    kind, _, rest = actor.partition(":")
    try:
        return UUID(rest.partition(":")[0]) if kind == "login" else None
    except ValueError:
        return None


class CredentialRefused(Exception):
    """A credential that is not accepted; the message tells its holder why."""


class AddressRefused(CredentialRefused):
    """A credential that is not accepted from the address it came from."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A token, or a sign-in with a password, with the member and the tenant it speaks for.

    `actor` is the token's id, or what `login_actor` makes; `networks` are those it may be used
    from, any when empty. `expired` and `last_use_is_stale` were decided by the database's clock.
    `workspace` is the name of the workspace it works in, which `workspace_stands` says has not been
    deleted. An operator's has no tenant: its number is 0 and its id the UUID of zeros.
    """

    tenant_no: int
    tenant_id: UUID
    tenant_status: str
    plan: str
    access_version: int
    user_id: UUID
    user_kind: str
    user_status: str
    membership_status: str
    actor: str
    workspace_id: int
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    expires_at: datetime | None
    expired: bool
    revoked: bool
    last_use_is_stale: bool
    workspace: str = DEFAULT_NAME
    workspace_stands: bool = True
    password_changed: bool = False

    @property
    def subject(self) -> str:
        """Whom it speaks for, as it stands in the principal's `sub`."""
        return subject_of(self.user_id, self.user_kind)

    def insist_usable(self) -> None:
        """Raise CredentialRefused unless the credential may be used now."""
        if self.revoked:
            raise CredentialRefused("the token was revoked")
        if self.password_changed:
            raise CredentialRefused(CHANGED_SINCE)
        if self.expired:
            raise CredentialRefused("the token has expired")
        if self.membership_status == "removed":
            raise CredentialRefused("its holder is no member of the tenant any more")
        if "suspended" in (self.tenant_status, self.user_status, self.membership_status):
            raise CredentialRefused("the account is suspended")

    def insist_from(self, address: str) -> None:
        """Raise AddressRefused unless the credential may be used from there."""
        if self.networks and not _inside(address, self.networks):
            told = address or "(unknown)"
            raise AddressRefused(f"it is bound to networks that your address {told} is not in")


def _inside(address: str, networks: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(network) for network in networks)


UNKNOWN: Final = "no such token here; it may belong to another installation"
NO_TENANT: Final = UUID(int=0)
INVITED: Final = (
    "this is the code of an invitation, not a token: accept it first, with"
    " POST /api/maestro/v1/invitations/accept"
)
WRONG: Final = "user name or password is wrong"
CHANGED_SINCE: Final = "the password was changed"
NO_MEMBER: Final = "you are no member of a tenant of the name before the '/'"
WHICH_TENANT: Final = "you are a member of several tenants; give the user name as tenant/login"
NOWHERE: Final = "you are a member of no tenant"
OF_A_LINK: Final = "this is the secret of a link to sign in with once, not a token: open the link"
MALFORMED: Final = "this is no token: mistyped or cut short (its checksum does not fit)"
