"""What was revoked lately: passports of it are dropped, its open requests cut, late ones refused."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from libs.common.access.feed import Revocation
from libs.common.errors import Refusal, missing, unauthenticated, unavailable
from libs.common.principal import LEEWAY_SECONDS, LIFETIME_SECONDS
from services.gateway.credentials import Rejected
from services.gateway.exchange import Passport
from services.gateway.open_requests import OpenRequests
from services.gateway.passports import Group, Passports

# Longer than anything minted before the revocation can live: its principal's life, the leeway of
# clocks, and an exchange that was under way.
REMEMBERED_SECONDS: Final = LIFETIME_SECONDS + LEEWAY_SECONDS + 30
MOST_REMEMBERED: Final = 50_000
# How a sign-in with a password is named where a token would be named by its id.
_SIGN_IN: Final = "login:"


@dataclass(frozen=True, slots=True)
class _Ended:
    """When we learnt of it, and the version of the subject's access or of the tenant since."""

    at: float
    version: int


class Revocations:
    """The tokens, accesses and tenants that ended in the last two minutes, however we learnt of it.

    What is in use is dropped as we learn; the memory is for what is still on its way: from auth,
    or from Redis, where another gateway has put it. `rejected` is told the credentials of a revoked
    token, `forget_everything` is called where there are more revocations than are remembered.
    """

    def __init__(
        self,
        passports: Passports,
        open_requests: OpenRequests,
        *,
        rejected: Callable[[bytes, Rejected], None],
        forget_everything: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._passports = passports
        self._open_requests = open_requests
        self._rejected = rejected
        self._forget_everything = forget_everything
        self._clock = clock
        self._ended: dict[Group, _Ended] = {}
        self._listening_since = float("inf")
        self._forgot_at = float("-inf")

    def note(self, told: Revocation) -> bool:
        """Something ended, says auth's feed; whether that is news."""
        if told.kind == "token":
            return self.token_revoked(told.id)
        if told.kind == "subject":
            return self.access_changed(told.tenant_no, told.id, told.version, active=told.active)
        if told.kind == "workspace":
            return self.workspace_deleted(told.tenant_no, int(told.id))
        return self.tenant_suspended(told.tenant_no, told.version)

    def token_revoked(self, token_id: str) -> bool:
        """A token was revoked, or the password of a sign-in changed; whether that is news."""
        news = self._remember(("token", 0, token_id), 0)
        for key in self._passports.drop_token(token_id):
            self._rejected(key, Rejected(why_ended(token_id)))
        self._open_requests.cut(
            lambda passport: passport.actor == token_id, lambda: _token_revoked(token_id)
        )
        return news

    def access_changed(
        self, tenant_no: int, subject: str, version: int, *, active: bool = True
    ) -> bool:
        """What a subject may do has this version now, nothing where not `active`; whether that is
        news.

        Whether a request is still allowed is its service's to say, so what streams is cut for its
        client to ask again.
        """
        news = self._remember(("subject", tenant_no, subject), version)
        self._passports.drop_subject(tenant_no, subject, version)

        def ended(passport: Passport) -> bool:
            return (
                passport.subject == subject
                and passport.tenant_no == tenant_no
                and passport.access_version < version
            )

        if active:
            self._open_requests.cut(ended, _access_changed, streams_only=True)
        else:
            self._open_requests.cut(ended, _suspended)
        return news

    def tenant_suspended(self, tenant_no: int, version: int) -> bool:
        """A tenant was suspended, and has this version since; whether that is news."""
        news = self._remember(("tenant", tenant_no, ""), version)
        self._passports.drop_tenant(tenant_no)
        self._open_requests.cut(lambda passport: passport.tenant_no == tenant_no, _suspended)
        return news

    def workspace_deleted(self, tenant_no: int, workspace_id: int) -> bool:
        """A workspace was deleted, whose number is not given again; whether that is news."""
        news = self._remember(("workspace", tenant_no, str(workspace_id)), 0)

        def ended(passport: Passport) -> bool:
            return passport.tenant_no == tenant_no and passport.workspace_id == workspace_id

        # Rare enough to have the whole tenant's passports fetched anew.
        self._passports.drop_tenant(tenant_no)
        self._open_requests.cut(ended, _workspace_deleted)
        return news

    def connected(self) -> None:
        """The broadcast is heard from now on; what was said before may have been missed."""
        self._listening_since = self._clock()

    def caught_up(self, asked_at: float) -> None:
        """All that ended up to `asked_at` is known, from longer ago than is remembered."""
        since = max(asked_at - REMEMBERED_SECONDS, self._forgot_at)
        self._listening_since = min(self._listening_since, since)

    def overflow(self) -> None:
        """More ended than can be told apart: everything may have."""
        self._ended.clear()
        self._forgot_at = self._listening_since = self._clock()
        self._forget_everything()

    def covers(self, token_id: str) -> bool:
        """Whether the token is known to be revoked."""
        return ("token", 0, token_id) in self._ended

    def outdates(self, passport: Passport, since: float) -> bool:
        """Whether a passport minted not before `since` is of a time before its holder's access
        changed or its tenant was suspended.
        """
        subject = self._ended.get(("subject", passport.tenant_no, passport.subject))
        if subject is not None and passport.access_version < subject.version:
            return True
        tenant = self._ended.get(("tenant", passport.tenant_no, ""))
        return tenant is not None and tenant.at >= since

    def covers_workspace(self, tenant_no: int, workspace_id: int) -> bool:
        """Whether the workspace is known to be deleted."""
        return ("workspace", tenant_no, str(workspace_id)) in self._ended

    def would_have_heard(self, minted_at: float) -> bool:
        """Whether a revocation after `minted_at` would have reached this process."""
        return minted_at > self._listening_since + LEEWAY_SECONDS

    def _remember(self, group: Group, version: int) -> bool:
        now = self._clock()
        self._drop_old(now)
        known = self._ended.pop(group, None)
        if known is None and len(self._ended) >= MOST_REMEMBERED:
            self.overflow()
        news = known is None or version > known.version
        latest = version if known is None else max(version, known.version)
        # A suspension that is told twice happened when it was told first.
        at = now if news or known is None else known.at
        self._ended[group] = _Ended(at, latest)
        return news

    def _drop_old(self, now: float) -> None:
        # Nearly in the order of hearing: what stands behind an older one waits for it.
        while self._ended:
            group, ended = next(iter(self._ended.items()))
            if ended.at + REMEMBERED_SECONDS > now:
                return
            del self._ended[group]


def why_ended(actor: str) -> str:
    """What became of a token, or of the password that an actor signed in with."""
    return "the password was changed" if actor.startswith(_SIGN_IN) else "the token was revoked"


def _token_revoked(actor: str) -> Refusal:
    return _closing(unauthenticated(f"Your request was cut off: {why_ended(actor)}."))


def _suspended() -> Refusal:
    return _closing(unauthenticated("Your request was cut off: the account is suspended."))


def _workspace_deleted() -> Refusal:
    return _closing(missing("Your request was cut off: its workspace was deleted."))


def _access_changed() -> Refusal:
    return _closing(unavailable("What you may do here has just changed: send the request again."))


def _closing(refusal: Refusal) -> Refusal:
    refusal.closes = True
    return refusal
