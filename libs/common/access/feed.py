"""The feed of revocations that auth keeps: how it is asked for, and what it answers."""

from typing import Final, Literal

import msgspec

PATH: Final = "/internal/revocations"


class Revocation(msgspec.Struct, frozen=True):
    """Something ended in a tenant: a token, all that a subject was minted before, a workspace, or
    the tenant.

    `id` is the token's, the subject (`user:…`), the workspace's or the tenant's UUID; `version` is that of the
    subject's access, or of the tenant, from then on. `active` is false for a subject that may do
    nothing any more.
    """

    number: int
    kind: Literal["token", "subject", "tenant", "workspace"]
    tenant_no: int
    id: str
    version: int = 0
    active: bool = True


class Feed(msgspec.Struct, frozen=True):
    """What ended after a number, as it stood at `time` (seconds since 1970, auth's database).

    `last` is the highest number there was, `settled` the one to ask after the next time: what has
    a higher one is told again, as others with a lower one may not have been committed yet.
    `whole` is false where more ended than fits.
    """

    revocations: list[Revocation]
    last: int
    settled: int
    time: float
    whole: bool = True
