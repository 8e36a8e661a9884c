"""Nobody gives more than they hold: what is found to be covered is allowed, name by name."""

import time

from hypothesis import given
from hypothesis import strategies as st

from libs.common.access.permissions import PERMISSIONS
from libs.common.access.rights import Rights, compile_rights
from libs.common.access.roles import ROLES
from libs.common.contracts.auth import Access, AccessRule
from services.auth.model.holding import lacking

NAMES = ["a", "b", "team/", "team/x", "team/xy", "team/y", "teams"]
PATTERNS = ["*", "a", "team/x", "team/*", "team/x*", "t*", "missing"]
ASKED = ["experiment.read", "run.log", "model.read", "workspace.manage", "member.manage"]


def rule(
    effect: str, permission: str, kind: str, workspace: int, pattern: str, end: int | None = None
) -> AccessRule:
    """A rule about one permission."""
    named = kind in ("experiment", "model")
    return AccessRule(
        rule_id="r",
        effect="deny" if effect == "deny" else "allow",
        permissions=[permission],
        kind=kind,  # type: ignore[arg-type]
        workspace_id=0 if kind == "tenant" else workspace,
        pattern=pattern if named else "*",
        expires_at=end,
    )


RULES = st.builds(
    rule,
    st.sampled_from(["allow", "allow", "deny"]),
    st.sampled_from(ASKED),
    st.sampled_from(["tenant", "workspace", "experiment", "model"]),
    st.sampled_from([1, 2]),
    st.sampled_from(PATTERNS),
)
SCOPES = st.sampled_from([["*"], ["run.*", "experiment.read"], ["experiment:team/*"], ["model:a"]])


def rights(rules: list[AccessRule], scopes: list[str]) -> Rights:
    """What somebody with these rules may do with a credential of these scopes."""
    access = Access(subject="user:caller", status="active", rules=rules)
    return compile_rights(access, 1, scopes)


@given(st.lists(RULES, max_size=5), SCOPES, RULES.filter(lambda rule: rule.effect == "allow"))
def test_what_is_given_was_held(
    held: list[AccessRule], scopes: list[str], given_away: AccessRule
) -> None:
    giver, getter = rights(held, scopes), rights([given_away], ["*"])
    if lacking(giver, [given_away]):
        return
    for permission in ASKED:
        for workspace in (1, 2, 3):
            for name in NAMES:
                if getter.allows(permission, workspace, name):
                    assert giver.allows(permission, workspace, name), (permission, workspace, name)


@given(st.sampled_from(sorted(ROLES)), st.sampled_from(sorted(ROLES)))
def test_a_role_holds_the_roles_below_it(mine: str, theirs: str) -> None:
    def of(role: str) -> AccessRule:
        return AccessRule(rule_id=role, effect="allow", permissions=sorted(ROLES[role]))

    missed = lacking(rights([of(mine)], ["*"]), [of(theirs)])
    assert set(missed) == ROLES[theirs] - ROLES[mine]


def test_a_prefix_within_ones_own_is_held_and_a_wider_one_is_not() -> None:
    mine = [rule("allow", "run.log", "experiment", 1, "team/*")]
    for pattern, held in (("team/x*", True), ("team/x", True), ("team*", False), ("*", False)):
        asked = rule("allow", "run.log", "experiment", 1, pattern)
        assert (not lacking(rights(mine, ["*"]), [asked])) is held, pattern
    elsewhere = rule("allow", "run.log", "experiment", 2, "team/x")
    assert lacking(rights(mine, ["*"]), [elsewhere]) == ["run.log"]


def test_what_is_denied_to_oneself_is_not_held() -> None:
    mine = [
        AccessRule(rule_id="all", effect="allow", permissions=sorted(PERMISSIONS)),
        rule("deny", "run.log", "experiment", 1, "team/secret"),
    ]
    for pattern in ("*", "team/*", "team/secret"):
        asked = rule("allow", "run.log", "experiment", 1, pattern)
        assert lacking(rights(mine, ["*"]), [asked]) == ["run.log"], pattern
    assert lacking(rights(mine, ["*"]), [rule("allow", "run.log", "experiment", 1, "team/x")]) == []


def test_a_denial_in_a_workspace_is_one_of_the_whole_tenant() -> None:
    everything = AccessRule(rule_id="all", effect="allow", permissions=sorted(PERMISSIONS))
    mine = [everything, rule("deny", "run.log", "experiment", 1, "secret/*")]
    assert lacking(rights(mine, ["*"]), [everything]) == ["run.log"]


def test_what_ends_is_held_until_then_and_no_longer() -> None:
    soon = round(time.time() * 1000) + 60_000
    mine = [rule("allow", "run.log", "experiment", 1, "team/*", soon)]
    for end, held in ((soon, True), (soon - 1, True), (soon + 1, False), (None, False)):
        asked = rule("allow", "run.log", "experiment", 1, "team/x", end)
        assert (not lacking(rights(mine, ["*"]), [asked])) is held, end
