"""Why: who can access something, what a subject may do, and what a change would do."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query

from libs.common.access.authority import Told
from libs.common.access.permissions import PERMISSIONS, Kind
from libs.common.access.rights import ALL_SCOPES, Rights, compile_rights
from libs.common.contracts.auth import AccessRule
from libs.common.errors import invalid
from libs.common.http.own import Caller, Here, guarded
from services.auth.api.grants import asked
from services.auth.commands.dry_run import try_grant, try_member, try_role
from services.auth.model.explaining import Effective, decide, effective, targets_of
from services.auth.model.grants import NAMED, Target, target_of
from services.auth.queries.access import accesses_of
from services.auth.queries.members import find_member
from services.auth.queries.subjects import subjects_page
from services.auth.schemas.access import (
    AccessBody,
    DecisionBody,
    EffectBody,
    EffectListBody,
    HeldBody,
    RuleBody,
    TrialBody,
    WhoBody,
    WhoListBody,
)

router = APIRouter(prefix="/api/maestro/v1/access", tags=["access"])
NOTE: Final = (
    "Whoever owns an experiment or model may do everything with it unless it is denied; who owns"
    " one is known to the service that keeps it, and counts here where `owner` names them."
)


@dataclass(frozen=True, slots=True)
class Question:
    """A permission and what it is asked about; `owner` is the subject that owns that."""

    permission: str
    target: Target
    owner: str

    @property
    def resource(self) -> tuple[int, str]:
        """Where it is and what it is called."""
        target = self.target
        return target.workspace_id, target.pattern if target.kind in NAMED else ""


async def question(
    caller: Caller,
    permission: str,
    kind: Kind | None = None,
    workspace_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    name: Annotated[str, Query(max_length=500)] = "",
    owner: Annotated[str, Query(max_length=255)] = "",
) -> Question:
    """What the query asks: without `name` about the whole of a workspace, or of the tenant."""
    known = PERMISSIONS.get(permission)
    if known is None:
        raise invalid(
            f"permission: {permission!r} is none; GET /api/maestro/v1/permissions lists them."
        )
    of = kind or known.kind
    if of not in (known.kind, "tenant") and (of != "workspace" or known.kind == "tenant"):
        raise invalid(f"kind: {permission} is about a {known.kind}.")
    if of in NAMED and not name:
        of = "workspace"
    if name and of not in NAMED:
        raise invalid(f"name: a {of} is asked about as a whole; leave the name out.")
    workspace = workspace_id or caller.workspace_id
    if of in NAMED:
        # A name as it is: one that ends in `*` is no prefix here.
        return Question(permission, Target(of, workspace, name), owner)
    return Question(permission, target_of(of, workspace, "*"), "")


Asked = Annotated[Question, Depends(question)]


@router.get("/mine", **guarded("token.own"))
async def my_access(caller: Caller) -> AccessBody:
    """What you may do with the credential that you show."""
    rights = caller.rights
    return _access(rights.subject, rights.status, rights)


@router.get("/of/{subject}", **guarded("grant.manage"))
async def access_of(subject: str, caller: Caller, running: Here) -> AccessBody:
    """What a member may do: the rules about it, and what they come down to."""
    told = await _told(running, caller.tenant_no, subject)
    return _access(told.access.subject, told.access.status, _rights(told))


@router.get("/check", **guarded("grant.manage"))
async def check_access(subject: str, asks: Asked, caller: Caller, running: Here) -> DecisionBody:
    """Whether a member may do something, and the rule that decides."""
    told = await _told(running, caller.tenant_no, subject)
    decision = decide(_rights(told), asks.permission, asks.target, asks.owner)
    return DecisionBody(
        subject=told.access.subject,
        allowed=decision.allowed,
        why=decision.why,
        rule=None if decision.rule is None else _rule(decision.rule),
        note=NOTE,
    )


@router.get("/who", **guarded("grant.manage"))
async def who_has_access(
    asks: Asked,
    caller: Caller,
    running: Here,
    max_results: Annotated[int, Query(ge=1, le=1000)] = 1000,
    page_token: Annotated[str, Query(max_length=255)] = "",
) -> WhoListBody:
    """Who may do something, and why; and who may not because of an explicit deny.

    A page looks at `max_results` members in the order of their logins, whatever it finds.
    """
    async with running.database.reading(caller.tenant_no) as connection:
        page = await subjects_page(connection, caller.tenant_no, page_token, max_results + 1)
        members = page[:max_results]
        user_ids = [member.user_id for member in members]
        told = await accesses_of(connection, caller.tenant_no, user_ids, on=asks.resource)
    found: dict[bool, list[WhoBody]] = {True: [], False: []}
    for member in members:
        rights = _rights(told[member.user_id])
        decision = decide(rights, asks.permission, asks.target, asks.owner)
        rule = decision.rule
        if decision.allowed or rule is not None:
            found[decision.allowed].append(
                WhoBody(
                    subject=member.subject,
                    login=member.login,
                    why=decision.why,
                    rule=None if rule is None else _rule(rule),
                )
            )
    target = asks.target
    return WhoListBody(
        permission=asks.permission,
        kind=target.kind,
        workspace_id=target.workspace_id or None,
        name=target.pattern if target.kind in NAMED else "",
        holders=found[True],
        denied=found[False],
        next_page_token=members[-1].login if len(page) > max_results else None,
        note=NOTE,
    )


@router.post("/dry-run", **guarded("grant.manage"))
async def dry_run(body: TrialBody, caller: Caller, running: Here) -> EffectListBody:
    """Who would gain and who would lose what by a change; refused as the change would be."""
    if sum(part is not None for part in (body.role, body.member, body.grant)) != 1:
        raise invalid("role, member, grant: name exactly one change to try.")
    if body.role is not None:
        effects = await try_role(running, caller, body.role.name, body.role.permissions)
    elif body.member is not None:
        effects = await try_member(running, caller, body.member.subject, body.member.role)
    else:
        assert body.grant is not None
        effects = await try_grant(running, caller, asked(body.grant, caller))
    return EffectListBody(
        effects=[
            EffectBody(subject=effect.subject, gains=_held(effect.gains), loses=_held(effect.loses))
            for effect in effects
        ],
        note=NOTE,
    )


async def _told(running: Here, tenant_no: int, subject: str) -> Told:
    async with running.database.reading(tenant_no) as connection:
        member = await find_member(connection, tenant_no, subject)
        return (await accesses_of(connection, tenant_no, [member.user_id]))[member.user_id]


def _rights(told: Told) -> Rights:
    return compile_rights(told.access, told.version, ALL_SCOPES)


def _access(subject: str, status: str, rights: Rights) -> AccessBody:
    return AccessBody(
        subject=subject,
        status=status,
        version=rights.version,
        rules=[_rule(rule) for rule in rights.rules],
        effective=_held(effective(rights, targets_of(rights))),
        note=NOTE,
    )


def _rule(rule: AccessRule) -> RuleBody:
    ends = rule.expires_at
    return RuleBody(
        rule_id=rule.rule_id,
        effect=rule.effect,
        permissions=rule.permissions,
        kind=rule.kind,
        workspace_id=rule.workspace_id or None,
        pattern=rule.pattern,
        expires_at=None if ends is None else datetime.fromtimestamp(ends / 1000, UTC),
        because=rule.because,
    )


def _held(found: Effective) -> list[HeldBody]:
    return [
        HeldBody(
            kind=target.kind,
            workspace_id=target.workspace_id or None,
            pattern=target.pattern,
            permissions=sorted(permissions),
        )
        for target, permissions in found.items()
    ]
