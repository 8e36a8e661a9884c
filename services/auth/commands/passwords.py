"""A person sets the password that they sign in with."""

from typing import Final

from libs.common.contracts.auth import PasswordChanged
from libs.common.errors import Refusal, denied, invalid
from libs.common.events.outbox import Recording, unit_of_work
from libs.common.failures import Failures
from libs.common.principal import Principal
from services.auth.commands.facts import user_state
from services.auth.commands.tokens import end_sessions, insist_no_session, networks_held, user_of
from services.auth.model.credential import ALL_SCOPES, login_actor
from services.auth.model.passwords import PasswordRefused, insist_acceptable
from services.auth.passwords import Passwords
from services.auth.queries.logins import Person, person_of_id, tenants_of
from services.auth.queries.members import member
from services.auth.store.passwords import set_password, touch_member
from services.auth.store.revocations import note_revocation

MOST_FAILURES: Final = 5


async def change_password(
    running: Recording, passwords: Passwords, principal: Principal, old: str | None, new: str
) -> None:
    """Set the caller's password; `old` is the one in force, None where there is none yet.

    Principals that were given for the old one end everywhere, and so do the sessions of the web pages
    that began with it: in this tenant at once, in others when their principal is next renewed. Tokens
    go on.
    """
    person = await person_of_id(running.database, user_of(principal))
    if person is None:
        raise denied("A service account signs in with tokens only; it has no password.")
    try:
        insist_acceptable(new, person.login)
    except PasswordRefused as problem:
        raise invalid(f"new: choose another password, as {problem}.") from None
    if person.password_hash is None:
        await _insist_unbound(running, principal)
        await _insist_nowhere_else(running, principal, person)
    else:
        await _insist_known(passwords, person, old)
    hashed = await passwords.hash(new)
    async with unit_of_work(running, principal) as work:
        before = person.password_version
        if not await set_password(work.connection, person.user_id, hashed, before):
            raise Refusal("RESOURCE_CONFLICT", "The password was changed meanwhile; look again.")
        await touch_member(work.connection, principal.tenant_no, person.user_id)
        changed = await member(work.connection, principal.tenant_no, person.user_id)
        ended = login_actor(person.user_id, before)
        work.record(PasswordChanged(version=changed.version, user=user_state(changed), ended=ended))
        await end_sessions(work, person.user_id, before)
        await note_revocation(work.connection, principal.tenant_no, "token", ended)


async def _insist_unbound(running: Recording, principal: Principal) -> None:
    """A first password opens all that the member may do, so what sets it must open no less."""
    async with running.database.reading(principal.tenant_no) as connection:
        await insist_no_session(connection, principal)
        networks = await networks_held(connection, principal)
    if principal.scopes != ALL_SCOPES or networks:
        raise denied(
            "A first password can be set with a credential that has every scope and is not bound to"
            " networks; the one you use is narrower."
        )


async def _insist_nowhere_else(running: Recording, principal: Principal, person: Person) -> None:
    """A password opens every tenant of a person, so a token of one must not set the first."""
    tenants = await tenants_of(running.database, person.user_id)
    if set(tenants.values()) - {principal.tenant_no}:
        raise denied(
            "You have no password yet and are a member of several tenants. A first password would"
            " open all of them, so no token of one can set it: go on with tokens, or leave the other"
            " tenants, set it then, and accept invitations to them again with it."
        )


async def _insist_known(passwords: Passwords, person: Person, old: str | None) -> None:
    failures: Failures = passwords.failures
    if failures.count(person.user_id) >= MOST_FAILURES:
        seconds = failures.seconds_left(person.user_id)
        raise Refusal(
            "RESOURCE_EXHAUSTED",
            f"The old password was wrong too often; try again in {seconds} s.",
            retry_after=seconds,
        )
    # Noted before the answer is known, so that many questions at once are not many guesses.
    failures.add(person.user_id)
    if not await passwords.fits(person.login, old or "", person.password_hash):
        raise invalid("old: this is not your password.")
    failures.forget(person.user_id)
