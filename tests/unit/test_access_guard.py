"""The guard: passes, answers as missing, or refuses in a way that helps."""

import pytest

from libs.common.access.guard import insist, insist_everywhere
from libs.common.access.rights import compile_rights
from libs.common.contracts.auth import Access, AccessRule
from libs.common.errors import Refusal, missing
from libs.common.principal import Principal

ABSENT = missing("Run with id=7 not found")


def caller(*rules: tuple[str, str, str], scopes: tuple[str, ...] = ("*",)) -> Principal:
    """A caller by rules (effect, permission, name) about experiments of the workspace 1."""
    told = [
        AccessRule(
            rule_id="r",
            effect=effect,  # type: ignore[arg-type]
            permissions=[permission],
            kind="experiment",
            workspace_id=1,
            pattern=name,
        )
        for effect, permission, name in rules
    ]
    access = Access(subject="user:me", status="active", rules=told)
    return Principal(
        tenant="t",
        tenant_no=1,
        workspace_id=1,
        subject="user:me",
        actor="a",
        scopes=scopes,
        audience="tracking",
        epoch=1,
        expires_at=0,
        token="",
        rights=compile_rights(access, 1, scopes),
    )


def refusal(principal: Principal, permission: str = "run.log", owner: str = "") -> Refusal:
    """What the guard says about the experiment `x`."""
    with pytest.raises(Refusal) as caught:
        insist(principal, permission, "x", owner, missing=ABSENT)
    return caught.value


def test_who_may_passes() -> None:
    """By a rule, as the owner, and with a credential that may log and nothing else."""
    insist(caller(("allow", "run.log", "x")), "run.log", "x", "", missing=ABSENT)
    insist(caller(), "run.log", "x", "user:me", missing=ABSENT)
    insist(caller(scopes=("run.log",)), "run.log", "x", "user:me", missing=ABSENT)


def test_who_may_not_read_hears_of_nothing() -> None:
    """Also where reading is denied and something else is allowed."""
    assert refusal(caller()) is ABSENT
    denied = ("deny", "experiment.read", "x")
    assert refusal(caller(denied, ("allow", "run.log", "*"))) is ABSENT
    assert refusal(caller(denied), owner="user:me") is ABSENT
    logging = caller(denied, ("allow", "run.log", "*"), scopes=("run.log",))
    assert refusal(logging, owner="user:me") is ABSENT


def test_who_may_read_hears_what_it_takes_and_whom_to_ask() -> None:
    """403 with permission, resource and owner."""
    told = refusal(caller(("allow", "experiment.read", "*")), owner="user:you")
    assert (told.status, told.code) == (403, "PERMISSION_DENIED")
    assert told.message == (
        "You may not log metrics, params, tags, inputs and outputs: that takes the permission"
        " run.log on experiment 'x'. Ask its owner (user:you) or an admin of the tenant for it."
    )
    nobodys = refusal(caller(("allow", "experiment.read", "*")))
    assert nobodys.message.endswith("Ask an admin of the tenant for it.")


def test_what_is_about_the_tenant_is_refused_openly() -> None:
    """The tenant is no secret to its members."""
    with pytest.raises(Refusal, match=r"takes the permission member\.read on this tenant"):
        insist_everywhere(caller(), "member.read")
