"""What one kind of request of one principal needs: a place and one of each of its leases."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from libs.common.contracts.plans import DEFAULT_PLAN, Plan
from services.gateway.exchange import Passport
from services.gateway.limits.book import Book
from services.gateway.limits.lease import Lease
from services.gateway.limits.window import WINDOW_SECONDS, Window
from services.gateway.routes import RouteClass

if TYPE_CHECKING:
    from services.gateway.limits.line import Line

MOST_REMEMBERED: Final = 50_000
CONCURRENT: Final = "concurrent"
LISTENERS: Final = "listeners"
_SECONDS: Final = f"w={WINDOW_SECONDS:.0f}"

Headers = list[tuple[bytes, bytes]]


class Tenant:
    """A tenant's requests here: those under way and those that listen to live events, the line of
    those that wait, the refusals.
    """

    __slots__ = ("line", "listening", "open", "refusals")

    def __init__(self) -> None:
        self.open = 0
        self.listening = 0
        self.line: Line | None = None
        self.refusals: Window | None = None


class Blocked(NamedTuple):
    """Why a request cannot go on: the lease that is closed or the tenant that is full, until `at`."""

    by: Lease | Tenant
    tier: str
    limit: int
    at: float


class Needs:
    """`leases` and, where `places` is not 0, one of so many places of the tenant.

    What `listens` stays for hours, and has places of its own.
    """

    __slots__ = ("_policy", "leases", "listens", "places", "plan", "subject", "tenant")

    def __init__(
        self,
        tenant: Tenant,
        subject: str,
        plan: Plan,
        leases: tuple[Lease, ...],
        places: int,
        *,
        listens: bool = False,
    ) -> None:
        self.tenant = tenant
        self.subject = subject
        self.plan = plan
        self.leases = leases
        self.places = places
        self.listens = listens
        self._policy = _policy(leases, places, self.kind_of_places)

    @property
    def kind_of_places(self) -> str:
        """The name of the limit that the places are."""
        return LISTENERS if self.listens else CONCURRENT

    def taken(self) -> int:
        """How many places are taken."""
        return self.tenant.listening if self.listens else self.tenant.open

    def full(self) -> bool:
        """Whether all places are taken."""
        return 0 < self.places <= self.taken()

    def take_place(self, number: int = 1) -> None:
        """Take a place where they are counted; -1 gives one back."""
        if self.listens:
            self.tenant.listening += number
        elif self.places:
            self.tenant.open += number

    def headers(self, blocked: Blocked | None = None) -> Headers:
        """RateLimit-Policy with all that holds, RateLimit with what is nearest to its end."""
        if not self._policy:
            return []
        if blocked is not None:
            state = f'"{blocked.tier}";r=0;t=1'
        elif self.leases:
            least = self.leases[0]
            ratio = 2.0
            for lease in self.leases:
                share = (lease.left + lease.free) / lease.limit
                if share < ratio:
                    least, ratio = lease, share
            state = f'"{least.tier}";r={least.left + least.free};t=1'
        else:
            state = f'"{self.kind_of_places}";r={max(0, self.places - self.taken())}'
        return [(b"ratelimit-policy", self._policy), (b"ratelimit", state.encode())]


class Directory:
    """Finds the needs of a request; a plan that this release does not know is the smallest."""

    def __init__(
        self, book: Book, plans: Mapping[str, Plan], *, platform_rps: int, replicas: int
    ) -> None:
        self._book = book
        self._platform_rps = platform_rps
        self._replicas = replicas
        self._plans = plans
        self._tenants: dict[int, Tenant] = {}
        self._public: Needs | None = None
        self._found: dict[tuple[int, str, str, RouteClass], Needs] = {}

    def needs(self, passport: Passport, kind: RouteClass) -> Needs:
        """The needs of a request of this class by the holder of a passport."""
        key = passport.tenant_no, passport.subject, passport.plan, kind
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= MOST_REMEMBERED:
                self._forget()
            plan = self._plans.get(passport.plan) or self._plans[DEFAULT_PLAN]
            leases = self._leases(passport, plan, kind)
            listens = kind == "live"
            most = plan.listeners if listens else plan.concurrent
            places = math.ceil(most / self._replicas)
            tenant = self._tenant(passport.tenant_no)
            found = self._found[key] = Needs(
                tenant, passport.subject, plan, leases, places, listens=listens
            )
        return found

    def public(self) -> Needs:
        """The needs of a request without a credential: the platform's alone."""
        if self._public is None:
            plan = self._plans[DEFAULT_PLAN]
            self._public = Needs(Tenant(), "", plan, self._platform(), 0)
        return self._public

    def _leases(self, passport: Passport, plan: Plan, kind: RouteClass) -> tuple[Lease, ...]:
        start = f"limit:{passport.tenant_no}"
        rate_of = {
            "read": plan.read_rps,
            "write": plan.write_rps,
            "search": plan.search_rps,
            "artifact": plan.artifact_rps,
        }
        if kind == "live":
            # To begin to listen is a read.
            kind = "read"
        tiers = (
            (f"{start}:tenant", "tenant", plan.tenant_rps),
            (f"{start}:principal:{passport.subject}", "principal", plan.principal_rps),
            (f"{start}:class:{kind}", kind, rate_of[kind]),
        )
        return self._platform() + tuple(
            self._book.lease(key, tier, limit) for key, tier, limit in tiers if limit
        )

    def _platform(self) -> tuple[Lease, ...]:
        if not self._platform_rps:
            return ()
        return (self._book.lease("limit:0:platform", "platform", self._platform_rps),)

    def _tenant(self, number: int) -> Tenant:
        return self._tenants.setdefault(number, Tenant())

    def _forget(self) -> None:
        # What is under way keeps its own; the leases live on in the book while they matter.
        self._found.clear()
        self._tenants = {
            number: tenant
            for number, tenant in self._tenants.items()
            if tenant.open or tenant.listening or tenant.line is not None
        }


def _policy(leases: tuple[Lease, ...], places: int, kind_of_places: str) -> bytes:
    items = [f'"{lease.tier}";q={lease.limit};{_SECONDS}' for lease in leases]
    if places:
        items.append(f'"{kind_of_places}";q={places};qu="concurrent-requests"')
    return ", ".join(items).encode()
