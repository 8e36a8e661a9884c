"""Twenty ways to let somebody in, each put into the running platform and taken out again.

Whoever changes the walls sees here that the matrix would notice a hole in them.
"""

import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

import asyncpg

from libs.common.access import guard, rights, selection
from libs.common.access.authority import Authority
from libs.common.access.permissions import PERMISSIONS, mask
from libs.common.access.selection import EVERYTHING, Selection
from libs.common.database.pool import Connection
from libs.common.principal import PRINCIPAL_HEADER, Principal, Verifier
from services.auth.model import principals
from services.auth.model.credential import Credential
from services.gateway import credentials, headers

_WHOLE: Final = Selection(EVERYTHING, selection.NOTHING, EVERYTHING, "")
_TENANT: Final = re.compile(r"\btenant_no = (\$1|p_tenant_no)\b")
_WORKSPACE: Final = re.compile(r"\bworkspace_id = (\$2|p_workspace_id)\b")
_WORKSPACE_OF_WRITES: Final = re.compile(r"\bworkspace_id = (w\.workspace_id)\b")


@dataclass(frozen=True)
class Breach:
    """A hole: what is patched, what is changed in the database, and where it must show.

    `policies` says that row level security is off meanwhile, `function` is a SQL function that is
    made anew without what `without` finds.
    """

    name: str
    row: str
    column: str
    patches: tuple[Callable[[], Any], ...] = ()
    policies: bool = True
    function: str = ""
    without: "re.Pattern[str]" = field(default=_WORKSPACE)


def everywhere(module: Any, name: str, other: object) -> Callable[[], Any]:
    """A patch of a function in its module and wherever it was imported from there."""

    @contextmanager
    def patched() -> Iterator[None]:
        original = getattr(module, name)
        with ExitStack() as stack:
            for found in list(sys.modules.values()):
                if getattr(found, name, None) is original:
                    stack.enter_context(patch.object(found, name, other))
            yield

    return patched


def rewritten(without: "re.Pattern[str]") -> Callable[[], Any]:
    """A patch that takes a predicate out of every statement that is sent."""

    def patched() -> Any:
        span = Connection._span

        class Rewriting(Connection):
            """Sends what it is given without the predicate."""

            def __init__(self, raw: Any, tracing: Any) -> None:
                super().__init__(_Raw(raw, without), tracing)

        assert span is not None
        return patch("libs.common.database.pool.Connection", Rewriting)

    return patched


class _Raw:
    """A connection of asyncpg that leaves a predicate out, its parameter kept in use."""

    def __init__(self, raw: Any, without: "re.Pattern[str]") -> None:
        self._raw = raw
        self._without = without

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._raw, name)
        if name not in ("fetch", "fetchrow", "fetchval", "execute"):
            return found
        return lambda sql, *args: found(self._without.sub(_kept, sql) if args else sql, *args)


def _kept(found: "re.Match[str]") -> str:
    return f"tenant_no IS NOT NULL AND {found[1]}::int4 IS NOT NULL"


def _claiming(**claims: object) -> Callable[[], Any]:
    """A patch that puts other claims into every principal."""
    original = principals._signed

    def signed(given: Any, *args: Any) -> Any:
        return original({**given, **claims}, *args)

    return lambda: patch.object(principals, "_signed", signed)


def _first_of_all(method: str, owner: type[Any]) -> Callable[[], Any]:
    """A patch that gives everybody what the first one was given."""
    original = getattr(owner, method)

    def patched() -> Any:
        given: dict[int, Any] = {}

        async def one_for_all(self: Any, *args: Any) -> Any:
            if id(self) not in given:
                given[id(self)] = await original(self, *args)
            return given[id(self)]

        return patch.object(owner, method, one_for_all)

    return patched


def _passed_with_identity(given: Any, principal: bytes | None) -> Any:
    kept = list(given)
    named = {name for name, _ in kept}
    if principal is not None and PRINCIPAL_HEADER.encode() not in named:
        kept.append((PRINCIPAL_HEADER.encode(), principal))
    return kept


def _no_scopes(_: Any) -> int:
    return mask(PERMISSIONS)


def _anybody(*_: Any, **__: Any) -> None:
    return None


def _told_apart(principal: Principal, permission: str, name: str, owner: str, **_: Any) -> None:
    if not principal.rights.allows(permission, principal.workspace_id, name, owner):
        raise guard.not_allowed(permission, f"what is there: {name}", owner)


BREACHES: Final = (
    Breach("the guard lets everybody act", "delete_registered_model", "viewer",
           (everywhere(guard, "insist", _anybody),)),
    Breach("the guard tells the hidden from the missing", "get_registered_model", "nobody",
           (everywhere(guard, "insist", _told_apart),)),
    Breach("the guard of the tenant lets everybody in", "get_member", "nobody",
           (everywhere(guard, "insist_everywhere", _anybody),)),
    Breach("every name is covered", "log_metric", "nobody",
           (lambda: patch.object(Selection, "covers", lambda *_: True),)),
    Breach("every selection is the whole", "search_runs", "nobody",
           (lambda: patch.object(Selection, "everything", property(lambda _: True)),)),
    Breach("searches are not filtered", "search_registered_models", "nobody",
           (everywhere(selection, "predicate_values",
                       lambda _: selection_values(_WHOLE)),)),
    Breach("scopes are not read", "get_run", "scoped", (everywhere(rights, "permitted", _no_scopes),)),
    Breach("rights are one subject's for all", "get_run", "nobody",
           (_first_of_all("rights", Authority),)),
    Breach("ended tokens open", "get_run", "expired",
           (lambda: patch.object(Credential, "insist_usable", lambda _: None),
            everywhere(principals, "lifetime", lambda *_: 60))),
    Breach("revoked tokens open", "get_run", "revoked",
           (lambda: patch.object(Credential, "insist_usable", lambda _: None),)),
    Breach("one key for all credentials", "get_run", "foreign",
           (lambda: patch.object(credentials.Presented, "key", lambda *_: b"one"),)),
    Breach("a principal from outside passes", "get_run", "forged",
           (everywhere(headers, "passed_on", _passed_with_identity),)),
    Breach("a principal is verified once for all", "get_run", "foreign",
           (_first_of_all("verify", Verifier),)),
    Breach("every principal works in the first workspace", "get_run", "elsewhere",
           (_claiming(ws=1),)),
    Breach("a workspace is not asked for in statements", "get_experiment", "elsewhere",
           (rewritten(_WORKSPACE),)),
    Breach("a workspace is not asked for in the registry", "search_model_versions", "elsewhere",
           (rewritten(_WORKSPACE),)),
    Breach("a workspace is not asked for in a read", "get_run", "elsewhere", function="run_details"),
    Breach("a workspace is not asked for in a write", "log_metric", "elsewhere",
           function="log_section", without=_WORKSPACE_OF_WRITES),
    Breach("neither policy nor predicate in the registry", "get_registered_model", "foreign",
           (rewritten(_TENANT),), policies=False),
    Breach("neither policy nor predicate in a read", "get_run", "foreign", policies=False,
           function="run_details", without=_TENANT),
)  # fmt: skip


def selection_values(chosen: Selection) -> list[object]:
    """The parameters of a predicate, whatever is patched."""
    return _VALUES(chosen)


_VALUES: Final = selection.predicate_values


@asynccontextmanager
async def breached(superuser: asyncpg.Connection, breach: Breach) -> AsyncIterator[None]:
    """The platform with a hole in it, which is closed at the end."""
    former = await _without(superuser, breach) if breach.function else ""
    tables = [] if breach.policies else await _tenant_tables(superuser)
    try:
        for table in tables:
            await superuser.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        with ExitStack() as stack:
            for one in breach.patches:
                stack.enter_context(one())
            yield
    finally:
        for table in tables:
            await superuser.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        if former:
            await superuser.execute(former)


async def _without(superuser: asyncpg.Connection, breach: Breach) -> str:
    """Make a function of tracking's anew without a predicate; the statement that restores it."""
    former: str = await superuser.fetchval(
        "SELECT pg_get_functiondef(p.oid) FROM pg_proc p"
        " WHERE p.pronamespace = 'tracking'::regnamespace AND p.proname = $1",
        breach.function,
    )
    changed = breach.without.sub(_kept, former)
    assert changed != former
    await superuser.execute(changed)
    return former


async def _tenant_tables(superuser: asyncpg.Connection) -> list[str]:
    rows = await superuser.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c WHERE c.relrowsecurity"
        " AND c.relkind IN ('r', 'p')"
    )
    return [row["name"] for row in rows]


async def without_memory(values: Any) -> None:
    """Forget what the running services hold of rights and passports, before and after a breach."""
    for value in values:
        value.authority.forget_everything()
        value.verifier._known.clear()
    gateway = values[-1].state.principals
    gateway._forget_everything()
    gateway._rejected._kept.clear()
    gateway._rejected_here._kept.clear()
    # A cache, which may be emptied at any time.
    await gateway._shared._store.flushdb()
