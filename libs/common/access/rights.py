"""Rights: the rules about one subject and the scopes of one credential, compiled for decisions.

Deny by default; an explicit deny wins over every allow, ownership too. A rule about a tenant or
a workspace counts for all that is in it. To deny reading an experiment or a model is to deny all
that can be done with it: it is hidden with everything that lies in it.
"""

import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

import msgspec

from libs.common.access.permissions import BIT, PERMISSIONS, Kind, mask
from libs.common.access.ruling import NAMED, lasts, names_of, reaches, touches
from libs.common.access.selection import EVERYTHING, NOTHING, Names, Selection, merged, pattern
from libs.common.contracts.auth import Access, AccessRule

ALL_SCOPES: Final = ("*",)
ANY_WORKSPACE: Final = 0
_NEVER: Final = float("inf")
_ON_RESOURCES: Final = mask(
    [p.name for p in PERMISSIONS.values() if p.kind in NAMED] + ["workspace.read"]
)
_NOBODY: Final = Selection(NOTHING, NOTHING, NOTHING, "")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is allowed, and the rule that decided; `rule` is None where none did."""

    allowed: bool
    why: str
    rule: AccessRule | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rights:
    """What a subject may do with one credential, as of version `version` of its access.

    `until` is the time (seconds since 1970) at which a temporary rule ends and this must be
    compiled anew. The rules are kept packed, as thousands of subjects have dozens each and they are
    looked at once a permission; what comes of them is kept ready.
    """

    subject: str
    version: int
    status: str
    packed: bytes
    scopes: tuple[str, ...]
    until: float
    _permitted: int = 0
    _selections: dict[tuple[str, int], Selection] = field(default_factory=dict)
    # The workspaces that rules of an effect are about, so that many are told apart at once.
    _places: dict[str, frozenset[int]] = field(default_factory=dict)
    # One copy of each set of names, as many permissions are about the same.
    _names: dict[Names, Names] = field(default_factory=dict)

    @property
    def rules(self) -> tuple[AccessRule, ...]:
        """The rules that count, unpacked."""
        return _unpacked(self.packed)

    def renewed(self, scopes: Sequence[str], now: float) -> "Rights":
        """The same as of `now` for a credential with `scopes`."""
        if self.until <= now:
            access = Access(subject=self.subject, status=self.status, rules=list(self.rules))
            return compile_rights(access, self.version, scopes, now)
        if self.scopes == tuple(scopes):
            return self
        return Rights(
            subject=self.subject,
            version=self.version,
            status=self.status,
            packed=self.packed,
            scopes=tuple(scopes),
            until=self.until,
            _permitted=permitted(scopes),
        )

    def selection(self, permission: str, workspace_id: int) -> Selection:
        """The resources in a workspace on which `permission` is held; computed once."""
        key = permission, workspace_id
        found = self._selections.get(key)
        if found is None:
            found = self._selections[key] = self._select(permission, workspace_id)
        return found

    def allows(self, permission: str, workspace_id: int, name: str, owner: str = "") -> bool:
        """Whether `permission` is held on the resource of that name and owner."""
        return self.selection(permission, workspace_id).covers(name, owner)

    def holds(self, permission: str, workspace_id: int = ANY_WORKSPACE) -> bool:
        """Whether `permission` is held on the whole tenant, or on the whole of a workspace."""
        selection = self.selection(permission, workspace_id)
        return selection.allowed.everything and not selection.denied.everything

    def holds_all(
        self,
        permission: str,
        kind: Kind,
        workspace_id: int = ANY_WORKSPACE,
        names: str = "*",
        until: int | None = None,
    ) -> bool:
        """Whether `permission` is held on all that a rule of that kind and pattern would reach.

        Nothing of it may be denied. Rules that end before `until` (milliseconds since 1970, None
        for never) do not count: what one holds for a day cannot be given away for two.
        """
        if self.status != "active" or not self._permitted & BIT[permission]:
            return False
        of = PERMISSIONS[permission].kind
        wanted = pattern(names) if kind in NAMED else EVERYTHING
        if of in NAMED and not _scope(self.scopes, of).includes(wanted):
            return False
        held: list[Names] = []
        for rule in self.rules:
            within = rule.workspace_id if kind == "tenant" else workspace_id
            if not reaches(rule, permission, of, within):
                continue
            if rule.effect == "deny":
                if names_of(rule).meets(wanted):
                    return False
            elif lasts(rule, until) and (kind != "tenant" or rule.kind == "tenant"):
                held.append(names_of(rule))
        return merged(held).includes(wanted)

    def enters(self, workspace_id: int) -> bool:
        """Whether anything at all is allowed in a workspace: its name is then no secret."""
        if self.status != "active" or self.kept_out(workspace_id):
            return False
        return not self._of("allow").isdisjoint((ANY_WORKSPACE, workspace_id))

    def kept_out(self, workspace_id: int) -> bool:
        """Whether `workspace.read` is denied there, whatever the credential's scopes are."""
        return not self._of("deny").isdisjoint((ANY_WORKSPACE, workspace_id))

    def _of(self, effect: str) -> frozenset[int]:
        """The workspaces that rules open or close, with ANY_WORKSPACE for all of them."""
        if effect not in self._places:
            opens = self._permitted & _ON_RESOURCES
            bits = opens if effect == "allow" else BIT["workspace.read"]
            self._places[effect] = frozenset(
                ANY_WORKSPACE if rule.kind == "tenant" else rule.workspace_id
                for rule in self.rules
                if rule.effect == effect and mask(rule.permissions) & bits
            )
        return self._places[effect]

    def decide(self, permission: str, workspace_id: int, name: str, owner: str = "") -> Decision:
        """As `allows`, with the rule that decided."""
        barred = self._barred(permission, name)
        if barred:
            return Decision(False, barred)
        kind = PERMISSIONS[permission].kind
        touching = [r for r in self.rules if touches(r, permission, kind, workspace_id, name)]
        for rule in touching:
            if rule.effect == "deny":
                return Decision(False, "an explicit deny wins", rule)
        if owner and owner == self.subject and kind in NAMED:
            return Decision(True, "the owner of a resource may do everything with it")
        for rule in touching:
            return Decision(True, "allowed by a rule", rule)
        return Decision(False, "no rule allows it")

    def _barred(self, permission: str, name: str) -> str:
        """Why no rule can allow it, empty where one could."""
        if self.status != "active":
            return f"the member is {self.status}"
        if not self._permitted & BIT[permission]:
            return "the credential's scopes leave it out"
        kind = PERMISSIONS[permission].kind
        if kind in NAMED and not _scope(self.scopes, kind).covers(name):
            return "the credential is scoped to other resources"
        return ""

    def _select(self, permission: str, workspace_id: int) -> Selection:
        if self.status != "active" or not (self._permitted & BIT.get(permission, 0)):
            return _NOBODY
        kind = PERMISSIONS[permission].kind
        parts: dict[str, list[Names]] = {"allow": [], "deny": []}
        for rule in self.rules:
            if reaches(rule, permission, kind, workspace_id):
                parts[rule.effect].append(names_of(rule))
        on_resources = kind in NAMED
        allowed, denied = merged(parts["allow"]), merged(parts["deny"])
        return Selection(
            allowed=self._names.setdefault(allowed, allowed),
            denied=self._names.setdefault(denied, denied),
            within=_scope(self.scopes, kind) if on_resources else EVERYTHING,
            owner=self.subject if on_resources else "",
        )


def _pack(rules: Sequence[AccessRule]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(rules))


def _unpacked(packed: bytes) -> tuple[AccessRule, ...]:
    return msgspec.msgpack.decode(zlib.decompress(packed), type=tuple[AccessRule, ...])


NO_RIGHTS: Final = Rights("", 0, "unknown", _pack(()), (), _NEVER)


def compile_rights(
    access: Access, version: int, scopes: Sequence[str], now: float | None = None
) -> Rights:
    """The rights that `access` gives to a credential with `scopes`, as of `now`."""
    moment = time.time() if now is None else now
    rules = [
        rule for rule in access.rules if rule.expires_at is None or rule.expires_at / 1000 > moment
    ]
    ends = [rule.expires_at / 1000 for rule in rules if rule.expires_at is not None]
    return Rights(
        subject=access.subject,
        version=version,
        status=access.status,
        packed=_pack(rules),
        scopes=tuple(scopes),
        until=min(ends, default=_NEVER),
        _permitted=permitted(scopes),
    )


def permitted(scopes: Sequence[str]) -> int:
    """The permissions that scopes leave, as bits.

    A scope is `*`, a permission (`run.log`), all of a kind (`run.*`), or a resource
    (`experiment:team-a/*`, `model:fraud`), which narrows names and not permissions.
    """
    named = [scope for scope in scopes if ":" not in scope]
    narrowed = len(named) < len(scopes)
    bits = reduce(lambda found, scope: found | _bits(scope), named, 0)
    if "*" in named or (narrowed and not named):
        bits = mask(PERMISSIONS)
    # A credential for some resources is for nothing that is about the tenant as a whole.
    return bits & _ON_RESOURCES if narrowed else bits


def within(wanted: Sequence[str], held: Sequence[str]) -> bool:
    """Whether a credential with the scopes `wanted` may do nothing that one with `held` may not."""
    if permitted(wanted) & ~permitted(held):
        return False
    return all(_scope(held, kind).includes(_scope(wanted, kind)) for kind in NAMED)


def is_scope(text: str) -> bool:
    """Whether a text is a scope that means something."""
    kind, colon, name = text.partition(":")
    if colon:
        return kind in ("experiment", "model") and bool(name)
    return text == "*" or bool(_bits(text))


def _bits(scope: str) -> int:
    if scope.endswith(".*"):
        return mask(name for name in PERMISSIONS if name.startswith(scope[:-1]))
    return BIT.get(scope, 0)


def _scope(scopes: Sequence[str], kind: Kind) -> Names:
    """The names a credential is scoped to; a scope on one kind leaves nothing of the other."""
    resources = [scope.partition(":") for scope in scopes if ":" in scope]
    if not resources:
        return EVERYTHING
    return merged([pattern(name) for of, _, name in resources if of == kind])
