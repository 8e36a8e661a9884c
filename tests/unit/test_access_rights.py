"""Rights: what rules, scopes and ownership come to, against looking at every rule as it stands."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.access.permissions import BIT, PERMISSIONS, READ_OF, Kind, mask, named
from libs.common.access.rights import Rights, compile_rights, is_scope
from libs.common.access.roles import ROLES
from libs.common.access.selection import Names, merged, pattern
from libs.common.contracts.auth import Access, AccessRule
from tests.unit.access_samples import (
    ACCESSES,
    ASKED,
    NAMES,
    NOW,
    OWNERS,
    PATTERNS,
    SCOPES,
    SUBJECT,
    expected,
    matches,
)


def rights(*rules: AccessRule, scopes: tuple[str, ...] = ("*",), status: str = "active") -> Rights:
    """The rights by some rules."""
    return compile_rights(Access(subject=SUBJECT, status=status, rules=list(rules)), 1, scopes, NOW)


def allow(*permissions: str, **where: object) -> AccessRule:
    """A rule that allows something, on the whole tenant unless it says where."""
    return AccessRule(
        rule_id="r",
        effect="allow",
        permissions=list(permissions),
        **where,  # type: ignore[arg-type]
    )


def test_there_are_35_permissions_and_each_is_a_bit() -> None:
    """Names say the resource before the dot; every kind has one that lets it be seen."""
    assert len(PERMISSIONS) == 35
    assert len(set(BIT.values())) == 35
    assert named(mask(PERMISSIONS)) == list(PERMISSIONS)
    assert mask(["future.power"]) == 0
    assert {kind: PERMISSIONS[name].kind for kind, name in READ_OF.items()} == {
        kind: kind for kind in ("experiment", "model", "workspace", "tenant")
    }


def test_roles_hold_what_those_before_them_hold_and_more() -> None:
    """From viewer < contributor < reviewer < admin < owner; the last holds everything."""
    assert list(ROLES) == ["viewer", "contributor", "reviewer", "admin", "owner"]
    steps = list(ROLES.values())
    assert all(less < more for less, more in pairwise(steps))
    assert ROLES["owner"] == set(PERMISSIONS)
    assert ROLES["owner"] - ROLES["admin"] == {"tenant.manage"}
    assert all(name.endswith((".read", ".own")) for name in ROLES["viewer"])


@settings(deadline=None)
@given(
    access=ACCESSES,
    scopes=SCOPES,
    permission=st.sampled_from(ASKED),
    workspace_id=st.sampled_from([1, 2]),
    name=NAMES,
    owner=OWNERS,
)
def test_selections_and_decisions_are_what_the_rules_say(
    access: Access, scopes: list[str], permission: str, workspace_id: int, name: str, owner: str
) -> None:
    """The compiled form and the explained one, for any rules, scopes, names and owners."""
    found = compile_rights(access, 1, scopes, NOW)
    wanted = expected(access, scopes, permission, workspace_id, name, owner)
    selection = found.selection(permission, workspace_id)
    assert selection.covers(name, owner) is wanted
    assert found.allows(permission, workspace_id, name, owner) is wanted
    decision = found.decide(permission, workspace_id, name, owner)
    assert decision.allowed is wanted
    assert decision.rule is None or decision.rule in access.rules
    if selection.everything:
        assert wanted
    if selection.nothing:
        assert not wanted


@pytest.mark.parametrize("kind", ["experiment", "model"])
def test_who_is_denied_to_read_a_thing_may_do_nothing_with_it(kind: Kind) -> None:
    """Of all permissions about it, as owner too; other names and kinds stay as they are."""
    where = {"kind": kind, "workspace_id": 1, "pattern": "secret/*"}
    hidden = AccessRule(rule_id="d", effect="deny", permissions=[READ_OF[kind]], **where)  # type: ignore[arg-type]
    for scopes in (("*",), ("run.*", "artifact.*", "logged-model.*", "experiment.*", "model.*")):
        found = rights(allow(*PERMISSIONS), hidden, scopes=scopes)
        for name, permission in PERMISSIONS.items():
            if permission.kind not in ("experiment", "model"):
                continue
            hides = permission.kind == kind
            assert found.allows(name, 1, "secret/x", SUBJECT) is not hides
            assert found.decide(name, 1, "secret/x", SUBJECT).rule == (hidden if hides else None)
            assert found.holds_all(name, permission.kind, 1, "secret/x") is not hides
            assert found.selection(name, 1).everything is not hides
            assert found.allows(name, 1, "open", "") is True


@settings(deadline=None)
@given(access=ACCESSES, scopes=SCOPES, later=st.sampled_from([0.0, 1.0]))
def test_renewed_rights_are_those_of_a_new_question(
    access: Access, scopes: list[str], later: float
) -> None:
    """For another credential, and after a temporary rule has ended."""
    renewed = compile_rights(access, 3, ("*",), NOW).renewed(scopes, NOW + later)
    wanted = compile_rights(access, 3, scopes, NOW + later)
    assert (renewed.rules, renewed.scopes, renewed.until) == (
        wanted.rules,
        wanted.scopes,
        wanted.until,
    )
    assert (renewed.version, renewed.status) == (3, access.status)
    for permission in ASKED:
        assert renewed.selection(permission, 1) == wanted.selection(permission, 1)


@settings(deadline=None)
@given(texts=st.lists(PATTERNS, max_size=6), name=NAMES)
def test_merged_names_are_those_of_all_parts(texts: list[str], name: str) -> None:
    """And prefixes ascend without one that begins with another, as searches need them."""
    together = merged([pattern(text) for text in texts])
    assert together.covers(name) is any(matches(text, name) for text in texts)
    assert list(together.prefixes) == sorted(together.prefixes)
    for before, after in pairwise(together.prefixes):
        assert not after.startswith(before)
    assert together.empty is not bool(texts)


def test_an_empty_pattern_means_an_empty_name() -> None:
    """Not everything: what is left out must not open what was not meant."""
    assert pattern("") == Names(exact=frozenset({""}))
    assert pattern("*").everything


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (("*",), {"run.read", "run.log", "model.read", "token.own"}),
        (("run.log",), {"run.log"}),
        (("run.*",), {"run.read", "run.log"}),
        (("experiment:team-a/*",), {"run.read", "run.log"}),
        (("experiment:team-b/*",), set()),
        (("experiment:team-a/x", "run.read"), {"run.read"}),
        (("model:team-a/*",), {"model.read"}),
        (("model:team-a/x", "experiment:team-a/x"), {"run.read", "run.log", "model.read"}),
        (("model:team-a/x", "run.log"), set()),
        ((), set()),
        (("nonsense",), set()),
    ],
)
def test_scopes_narrow_permissions_and_names(scopes: tuple[str, ...], allowed: set[str]) -> None:
    """A credential for some resources is for nothing that is about the tenant as a whole."""
    asked = ("run.read", "run.log", "model.read", "token.own")
    found = rights(allow(*asked), scopes=scopes)
    assert {name for name in asked if found.allows(name, 1, "team-a/x")} == allowed


def test_scopes_bind_an_owner_too() -> None:
    """Ownership gives what a credential is not for to nobody."""
    found = rights(scopes=("experiment:mine", "run.read"))
    assert found.allows("run.read", 1, "mine", SUBJECT)
    assert not found.allows("run.log", 1, "mine", SUBJECT)
    assert not found.allows("run.read", 1, "mine too", SUBJECT)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("*", True),
        ("run.log", True),
        ("run.*", True),
        ("model:fraud", True),
        ("experiment:team-a/*", True),
        ("experiment:", False),
        ("run:7", False),
        ("runs.*", False),
        ("run", False),
        ("", False),
    ],
)
def test_what_is_a_scope(text: str, meant: bool) -> None:
    """A permission, all of a kind, a resource, or everything."""
    assert is_scope(text) is meant


def test_a_temporary_rule_ends() -> None:
    """`until` is the next end, after which the rights are compiled anew."""
    soon, later = int(NOW * 1000) + 500, int(NOW * 1000) + 900
    found = rights(
        allow("run.read", expires_at=later),
        allow("run.log", expires_at=soon),
        allow("model.read", expires_at=int(NOW * 1000)),
    )
    assert found.until == soon / 1000
    assert [found.allows(name, 1, "x") for name in ("run.read", "run.log", "model.read")] == [
        True,
        True,
        False,
    ]
    after = found.renewed(("*",), soon / 1000)
    assert after.until == later / 1000
    assert not after.allows("run.log", 1, "x")


def test_a_workspace_is_entered_by_whoever_may_do_something_in_it() -> None:
    """Not by what is about the tenant alone, nor by a credential that is for something else."""
    in_one = allow("run.read", kind="experiment", workspace_id=1, pattern="a")
    assert rights(in_one).enters(1)
    assert not rights(in_one).enters(2)
    assert not rights(in_one, status="suspended").enters(1)
    assert not rights(in_one, scopes=("model.read",)).enters(1)
    assert rights(allow("model.read")).enters(7)
    assert not rights(allow("token.own")).enters(7)
    closed = AccessRule(
        rule_id="d",
        effect="deny",
        permissions=["workspace.read"],
        kind="workspace",
        workspace_id=1,
    )
    assert not rights(in_one, allow("model.read"), closed).enters(1)
    assert rights(in_one, allow("model.read"), closed).enters(2)
    assert not rights(in_one, closed, scopes=("run.read",)).enters(1)


def test_what_is_held_on_the_whole() -> None:
    """A rule about some names is not a rule about the workspace."""
    everywhere = rights(allow("member.read"))
    assert everywhere.holds("member.read")
    assert not everywhere.holds("member.manage")
    assert not rights(allow("model.read", kind="model", workspace_id=1, pattern="a*")).holds(
        "model.read", 1
    )
    assert rights(allow("workspace.read", kind="workspace", workspace_id=1)).holds(
        "workspace.read", 1
    )
