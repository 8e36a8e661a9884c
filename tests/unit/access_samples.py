"""Rules drawn for the tests of access, and what they should come to, rule by rule."""

from typing import Any

from hypothesis import strategies as st

from libs.common.access.permissions import PERMISSIONS, READ_OF
from libs.common.contracts.auth import Access, AccessRule

SUBJECT = "user:me"
NOW = 1_000_000.0
ASKED = ("experiment.read", "run.log", "model.read", "model.manage", "workspace.read")
NAMED = ("experiment", "model")

# Few letters, so that names meet patterns often.
NAMES = st.text("ab/", max_size=4)
PATTERNS = st.one_of(st.just("*"), NAMES, NAMES.map(lambda text: f"{text}*"))
OWNERS = st.sampled_from(["", SUBJECT, "user:other"])
SCOPES = st.lists(
    st.one_of(
        st.sampled_from(["*", "run.*", "model.*", "nonsense", *ASKED]),
        st.builds("{}:{}".format, st.sampled_from(NAMED), PATTERNS.filter(bool)),
    ),
    max_size=4,
)


@st.composite
def rules(draw: st.DrawFn) -> AccessRule:
    """A rule as auth may tell it: only those about experiments and models have patterns."""
    kind: Any = draw(st.sampled_from(["tenant", "workspace", *NAMED]))
    return AccessRule(
        rule_id="r",
        effect=draw(st.sampled_from(["allow", "allow", "deny"])),
        permissions=draw(st.lists(st.sampled_from([*ASKED, "future.power"]), max_size=4)),
        kind=kind,
        workspace_id=0 if kind == "tenant" else draw(st.sampled_from([1, 2])),
        pattern=draw(PATTERNS) if kind in NAMED else "*",
        expires_at=draw(st.sampled_from([None, None, int(NOW * 1000) - 1, int(NOW * 1000) + 1])),
    )


ACCESSES = st.builds(
    Access,
    subject=st.just(SUBJECT),
    status=st.sampled_from(["active", "active", "active", "suspended", "removed"]),
    rules=st.lists(rules(), max_size=6),
)


def matches(pattern: str, name: str) -> bool:
    """What a pattern is said to mean."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def scopes_leave(scopes: list[str], permission: str, name: str) -> bool:
    """What scopes are said to leave: permissions that one names, on resources that one names."""
    kind = PERMISSIONS[permission].kind
    on_names = [scope.partition(":") for scope in scopes if ":" in scope]
    powers = [scope for scope in scopes if ":" not in scope]
    family = f"{permission.partition('.')[0]}.*"
    powerful = bool({"*", permission, family} & set(powers)) or bool(on_names and not powers)
    if not on_names or kind not in NAMED:
        return powerful and (not on_names or permission == "workspace.read")
    return powerful and any(of == kind and matches(text, name) for of, _, text in on_names)


def hides(rule: AccessRule, permission: str) -> bool:
    """Whether a rule takes a permission away because it denies to see what that is about."""
    kind = PERMISSIONS[permission].kind
    return rule.effect == "deny" and kind in NAMED and READ_OF[kind] in rule.permissions


def expected(
    access: Access, scopes: list[str], permission: str, workspace_id: int, name: str, owner: str
) -> bool:
    """Whether it is allowed, by looking at each rule as it stands."""
    kind = PERMISSIONS[permission].kind
    if access.status != "active" or not scopes_leave(scopes, permission, name):
        return False
    effects = {
        rule.effect
        for rule in access.rules
        if (permission in rule.permissions or hides(rule, permission))
        and (rule.expires_at is None or rule.expires_at > NOW * 1000)
        and (
            rule.kind == "tenant"
            or (rule.kind == "workspace" and rule.workspace_id == workspace_id)
            or (
                rule.kind == kind
                and rule.workspace_id == workspace_id
                and matches(rule.pattern, name)
            )
        )
    }
    owned = kind in NAMED and owner == access.subject
    return "deny" not in effects and ("allow" in effects or owned)
