"""`python -m services` as it is, or with every check answered by a constant: `CHECKS=constant`.

What a caller may do, the guard and the gateway's limits are then asked as ever, and allow all
without looking. Only `tests.load.guarded` starts this; nothing of it is in the product.
"""

import os
import runpy
from typing import Any, Final

from libs.common.access import guard
from libs.common.access.authority import Authority
from libs.common.access.rights import Rights, compile_rights
from libs.common.access.roles import ROLES
from libs.common.access.selection import Selection
from libs.common.contracts.auth import Access, AccessRule
from libs.common.principal import Principal
from services.gateway.limits.limits import Limits

CHECKS: Final = "CHECKS"
CONSTANT: Final = "constant"


def answer_by_a_constant() -> None:
    """Put constants in the place of all checks, before a service has imported them by name."""
    role = AccessRule(rule_id="role:owner", effect="allow", permissions=sorted(ROLES["owner"]))
    allowing = compile_rights(
        Access(subject="user:anybody", status="active", rules=[role]), 1, ["*"]
    )

    async def rights(_: Authority, __: Principal) -> Rights:
        return allowing

    def allow(*_: Any, **__: Any) -> None:
        return None

    def yes(*_: Any) -> bool:
        return True

    async def enter(*_: Any) -> None:
        return None

    # By setattr, as no type allows it.
    for owner, name, constant in (
        (Authority, "rights", rights),
        (Selection, "covers", yes),
        (Selection, "everything", property(yes)),
        (guard, "insist", allow),
        (guard, "insist_everywhere", allow),
        (Limits, "enter", enter),
        (Limits, "leave", allow),
    ):
        assert hasattr(owner, name), name
        setattr(owner, name, constant)


if __name__ == "__main__":
    if os.environ.pop(CHECKS, "") == CONSTANT:
        answer_by_a_constant()
    runpy.run_module("services", run_name="__main__")
