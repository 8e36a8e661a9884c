"""The plans that tenants are on: what each may use, as data that every service reads alike."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant on this plan may use; 0 means no limit.

    Rates are requests per second: of the whole tenant, of one principal, and of the tenant by
    route class. `concurrent` bounds its requests under way, `listeners` its open streams of live
    events, which are not counted among those, `body_bytes` one request's body, `storage_bytes` its artifacts, `runs` the new runs of a day. `token_days` is the longest life of
    a token and never 0: every token ends.
    """

    name: str
    tenant_rps: int
    principal_rps: int
    read_rps: int
    write_rps: int
    search_rps: int
    artifact_rps: int
    concurrent: int
    listeners: int
    body_bytes: int
    storage_bytes: int
    runs: int
    members: int
    workspaces: int
    token_days: int


_MIB: Final = 1024**2
_GIB: Final = 1024**3

_ALL: Final = (
    Plan(
        name="free",
        tenant_rps=50,
        principal_rps=25,
        read_rps=40,
        write_rps=40,
        search_rps=10,
        artifact_rps=20,
        concurrent=32,
        listeners=20,
        body_bytes=256 * _MIB,
        storage_bytes=5 * _GIB,
        runs=500,
        members=5,
        workspaces=3,
        token_days=90,
    ),
    Plan(
        name="team",
        tenant_rps=500,
        principal_rps=200,
        read_rps=400,
        write_rps=400,
        search_rps=100,
        artifact_rps=200,
        concurrent=256,
        listeners=200,
        body_bytes=5 * _GIB,
        storage_bytes=500 * _GIB,
        runs=20_000,
        members=50,
        workspaces=50,
        token_days=366,
    ),
    Plan(
        name="business",
        tenant_rps=5_000,
        principal_rps=1_000,
        read_rps=4_000,
        write_rps=4_000,
        search_rps=1_000,
        artifact_rps=2_000,
        concurrent=1_024,
        listeners=2_000,
        body_bytes=50 * _GIB,
        storage_bytes=10_240 * _GIB,
        runs=200_000,
        members=1_000,
        workspaces=500,
        token_days=366,
    ),
    Plan(
        name="unlimited",
        tenant_rps=0,
        principal_rps=0,
        read_rps=0,
        write_rps=0,
        search_rps=0,
        artifact_rps=0,
        concurrent=0,
        listeners=0,
        body_bytes=0,
        storage_bytes=0,
        runs=0,
        members=0,
        workspaces=0,
        token_days=366,
    ),
)


def _by_name(plans: Iterable[Plan]) -> Mapping[str, Plan]:
    return MappingProxyType({plan.name: plan for plan in plans})


PLANS: Final[Mapping[str, Plan]] = _by_name(_ALL)
# The plan of an installation's first tenant, and of one that is made without naming any.
FIRST_PLAN: Final = "unlimited"
DEFAULT_PLAN: Final = "free"
