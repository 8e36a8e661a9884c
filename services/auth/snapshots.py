"""How tenants, members and living tokens are told again on request."""

from typing import Final

from asyncpg import Record

from libs.common.contracts.auth import (
    TENANTS,
    TOKENS,
    USERS,
    Tenant,
    TenantSnapshot,
    Token,
    TokenSnapshot,
    User,
    UserSnapshot,
)
from libs.common.service import Snapshot
from services.auth.model.credential import subject_of
from services.auth.queries.credentials import LIVING_TOKENS, MEMBERS, OWN_TENANT


def _tenant(row: Record) -> TenantSnapshot:
    tenant = Tenant(
        tenant=row["id"], tenant_no=row["tenant_no"], name=row["name"], status=row["status"]
    )
    return TenantSnapshot(version=row["version"], tenant=tenant)


def _user(row: Record) -> UserSnapshot:
    user = User(user_id=row["id"], login=row["login"], role=row["role"], status=row["status"])
    return UserSnapshot(version=row["version"], user=user)


def _token(row: Record) -> TokenSnapshot:
    token = Token(
        token_id=row["id"],
        name=row["name"],
        subject=subject_of(row["user_id"], row["kind"]),
        expires_at=row["expires_at"],
        scopes=list(row["scopes"]),
        networks=list(row["networks"]),
        rotated_from=row["rotated_from"],
    )
    return TokenSnapshot(version=row["version"], token=token)


SNAPSHOTS: Final = (
    Snapshot(TENANTS, OWN_TENANT, _tenant),
    Snapshot(USERS, MEMBERS, _user),
    Snapshot(TOKENS, LIVING_TOKENS, _token),
)
