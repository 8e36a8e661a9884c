"""The passports in use: found by their credential, and dropped by token, by subject or by tenant."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

from services.gateway.addresses import address_of, inside, parsed
from services.gateway.credentials import AddressRejected, Presented
from services.gateway.exchange import Passport

MOST_PASSPORTS: Final = 20_000

Group = tuple[str, int, str]


class Passports:
    """At most so many, the longest unused giving way; dropping costs what is dropped."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Passport] = OrderedDict()
        self._groups: dict[Group, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes) -> Passport | None:
        """The passport of a credential, used now."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, passport: Passport) -> None:
        """Keep a passport in the place of an older one of its credential."""
        self.drop(key)
        self._kept[key] = passport
        for group in _groups_of(passport):
            self._groups.setdefault(group, set()).add(key)
        if len(self._kept) > MOST_PASSPORTS:
            self.drop(next(iter(self._kept)))

    def drop(self, key: bytes) -> None:
        """Forget the passport of a credential."""
        passport = self._kept.pop(key, None)
        if passport is None:
            return
        for group in _groups_of(passport):
            keys = self._groups[group]
            keys.discard(key)
            if not keys:
                del self._groups[group]

    def clear(self) -> None:
        """Forget all of them."""
        self._kept.clear()
        self._groups.clear()

    def drop_token(self, token_id: str) -> list[bytes]:
        """Forget what was minted for a token; the credentials it was shown as."""
        keys = list(self._groups.get(("token", 0, token_id), ()))
        for key in keys:
            self.drop(key)
        return keys

    def drop_subject(self, tenant_no: int, subject: str, version: int) -> None:
        """Forget what was minted for a subject before its access had this version."""
        for key in list(self._groups.get(("subject", tenant_no, subject), ())):
            if self._kept[key].access_version < version:
                self.drop(key)

    def drop_tenant(self, tenant_no: int) -> None:
        """Forget what was minted for members of a tenant."""
        for key in list(self._groups.get(("tenant", tenant_no, ""), ())):
            self.drop(key)


def insist_inside(passport: Passport, presented: Presented) -> None:
    """Raise AddressRejected where the credential is bound to networks that it did not come from."""
    if passport.networks and not inside(address_of(presented.address), parsed(passport.networks)):
        address = presented.address or "(unknown)"
        raise AddressRejected(f"it is bound to networks that your address {address} is not in")


def _groups_of(passport: Passport) -> Iterator[Group]:
    yield "token", 0, passport.actor
    yield "subject", passport.tenant_no, passport.subject
    yield "tenant", passport.tenant_no, ""
