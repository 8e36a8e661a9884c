"""What is held on all of a pattern is held on each name of it, for as long as was asked."""

from hypothesis import given
from hypothesis import strategies as st

from libs.common.access.permissions import Kind
from libs.common.access.rights import Rights, compile_rights
from libs.common.access.selection import Names, pattern
from libs.common.contracts.auth import Access, AccessRule

NOW = 1_000.0
KINDS: tuple[Kind, ...] = ("tenant", "workspace", "experiment", "model")
NAMED = ("experiment", "model")
names = st.text("ab/", min_size=1, max_size=3)
patterns = st.one_of(names, names.map(lambda name: f"{name}*"), st.just("*"))
workspaces = st.sampled_from((1, 2))
TRIED = ("experiment.read", "model.read", "workspace.read", "member.read")
ends = st.sampled_from((None, 2_000_000, 3_000_000))


@st.composite
def rules(draw: st.DrawFn) -> AccessRule:
    """A rule about anything."""
    kind = draw(st.sampled_from(KINDS))
    return AccessRule(
        rule_id="1",
        effect=draw(st.sampled_from(("allow", "allow", "deny"))),
        permissions=draw(st.lists(st.sampled_from(TRIED), min_size=1)),
        kind=kind,
        workspace_id=0 if kind == "tenant" else draw(workspaces),
        pattern=draw(patterns) if kind in NAMED else "*",
        expires_at=draw(ends),
    )


scopes = st.sampled_from(
    (("*",), ("experiment.*",), ("experiment:a*",), ("experiment.read", "experiment:a"))
)


def rights_at(found: list[AccessRule], held: tuple[str, ...], now: float) -> Rights:
    """The rights by some rules at a time."""
    return compile_rights(Access(subject="user:1", status="active", rules=found), 1, held, now)


Asked = tuple[str, Kind, str, int | None]
# Everything that holding all of something may be asked of: permission, kind, pattern and end.
ASKED: tuple[Asked, ...] = tuple(
    (permission, kind, text, until)
    for permission in TRIED
    for kind in KINDS
    for text in (("*", "a*", "a/*", "a", "b") if kind in NAMED else ("*",))
    if permission.startswith(kind) or kind in ("tenant", "workspace")
    for until in (None, 1_500_000, 2_500_000)
)


@given(st.lists(rules(), max_size=5), scopes, names)
def test_what_is_held_on_all_of_it_is_held_on_each(
    found: list[AccessRule], held: tuple[str, ...], name: str
) -> None:
    now = rights_at(found, held, NOW)
    for permission, kind, text, until in ASKED:
        if not now.holds_all(permission, kind, 1, text, until):
            continue
        last = 10_000.0 if until is None else until / 1000
        for rights in (now, rights_at(found, held, last - 1)):
            assert_held(rights, permission, kind, name if pattern(text).covers(name) else "")


def assert_held(rights: Rights, permission: str, kind: Kind, name: str) -> None:
    """Services decide so on a resource of that name, in every workspace that is meant."""
    of = permission.partition(".")[0]
    for workspace_id in (1, 2) if kind == "tenant" else (1,):
        if of in NAMED:
            assert not name or rights.allows(permission, workspace_id, name)
        else:
            assert rights.holds(permission, workspace_id)


@given(patterns, patterns, names)
def test_sets_of_names_are_compared_as_their_names_are(one: str, other: str, name: str) -> None:
    a, b = pattern(one), pattern(other)
    if a.includes(b) and b.covers(name):
        assert a.covers(name)
    if a.covers(name) and b.covers(name):
        assert a.meets(b)
        assert b.meets(a)
    assert a.includes(a)
    assert a.meets(a)
    assert not a.meets(Names())
    assert a.includes(Names())


def test_what_is_about_the_tenant_is_not_held_through_a_workspace() -> None:
    permissions = ["member.read", "workspace.read", "experiment.read"]
    rule = AccessRule(
        rule_id="1", effect="allow", permissions=permissions, kind="workspace", workspace_id=1
    )
    rights = rights_at([rule], ("*",), NOW)
    assert rights.holds("workspace.read", 1)
    assert rights.allows("experiment.read", 1, "a")
    assert not rights.holds("member.read", 1)
    assert not rights.holds_all("member.read", "workspace", 1)
    assert not rights.decide("member.read", 1, "").allowed
