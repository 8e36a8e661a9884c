"""Passwords: which are taken, who may set one, what they open, and what they cost."""

import asyncio
import threading
from typing import Any

import msgspec
import pytest
import structlog

from libs.common.http.calling import Reply
from services.auth import passwords as passwords_module
from services.auth.metrics import PASSWORDS_HASHED
from services.auth.passwords import Passwords
from services.auth.state import State
from tests.service.auth.installation import PRINCIPAL, Auth
from tests.service.auth.people import (
    PASSWORD,
    add_person,
    add_tenant,
    as_owner,
    join,
    member,
    refusal,
    set_password,
    token_for,
)
from tests.waiting import eventually

FIRST = "a first password of mine"
SECOND = "quite another one, later"
WRONG = "user name or password is wrong"


def said(reply: Reply) -> dict[str, Any]:
    """A JSON answer."""
    found: dict[str, Any] = msgspec.json.decode(reply.body)
    return found


def hashed() -> float:
    """How many hashes this process has computed."""
    return float(PASSWORDS_HASHED._value.get())


async def test_a_password_opens_what_its_owner_may_do_and_a_new_one_ends_the_old(
    auth: Auth,
) -> None:
    user_id, token = await member(auth, "ann")
    assert await refusal(auth, "default/ann", FIRST) == WRONG
    await set_password(auth, token, FIRST)
    opened = said(await auth.sign_in("default/ann", FIRST))
    assert (opened["subject"], opened["actor"]) == (f"user:{user_id}", f"login:{user_id}:1")
    assert opened["networks"] == []
    reply = await auth.ask_as(opened["principals"]["auth"], "GET", "/api/maestro/v1/tokens")
    assert reply.status == 200
    wrong = await auth.ask(token, "PUT", PASSWORD, {"old": SECOND, "new": SECOND})
    assert (wrong.status, "old: this is not" in said(wrong)["detail"]) == (400, True)
    await set_password(auth, token, SECOND, old=FIRST)
    assert await refusal(auth, "default/ann", FIRST) == WRONG
    assert await refusal(auth, "default/ann", SECOND) == ""
    assert (await auth.exchange(token, "tracking")).status == 200, "tokens go on"
    onward = await auth.exchange(
        opened["principals"]["registry"], "tracking", kind=PRINCIPAL, client="registry"
    )
    assert "password was changed" in said(onward)["error_description"]


async def test_a_sign_in_is_exchanged_onwards_as_itself(auth: Auth) -> None:
    _, token = await member(auth, "onward")
    await set_password(auth, token, FIRST)
    given = said(await auth.sign_in("onward", FIRST))["principals"]["registry"]
    reply = await auth.exchange(given, "tracking", kind=PRINCIPAL, client="registry")
    assert reply.status == 200


async def test_the_user_name_names_the_tenant_where_there_are_several(auth: Auth) -> None:
    user_id, token = await member(auth, "bob")
    await set_password(auth, token, FIRST)
    assert said(await auth.sign_in("bob", FIRST))["tenant_no"] == 1
    other = await add_tenant(auth, "other-team")
    await add_tenant(auth, "third-team")
    await join(auth, other, user_id)
    assert "tenant/login" in await refusal(auth, "bob", FIRST)
    assert said(await auth.sign_in("other-team/bob", FIRST))["tenant_no"] == other
    assert said(await auth.sign_in("default/bob", FIRST))["tenant_no"] == 1
    foreign = await refusal(auth, "third-team/bob", FIRST)
    assert foreign == await refusal(auth, "no-such-team/bob", FIRST)
    removed = "UPDATE memberships SET status = 'removed' WHERE user_id = $1"
    await as_owner(auth, other, removed, user_id)
    assert await refusal(auth, "other-team/bob", FIRST) == foreign
    assert said(await auth.sign_in("bob", FIRST))["tenant_no"] == 1
    await as_owner(auth, 1, removed, user_id)
    assert "no tenant" in await refusal(auth, "bob", FIRST)


@pytest.mark.parametrize(
    "user_name", ["nobody", "default/nobody", "no-such/nobody", "", "/", "a\x00"]
)
async def test_who_does_not_know_the_password_learns_nothing(auth: Auth, user_name: str) -> None:
    """Neither by the words nor by the time: an unknown login costs a hash like a known one."""
    before = hashed()
    assert await refusal(auth, user_name, "a password of nobody") == WRONG
    assert hashed() == before + 1


async def test_a_suspended_member_is_not_let_in(auth: Auth) -> None:
    user_id, token = await member(auth, "carl")
    await set_password(auth, token, FIRST)
    change = "UPDATE memberships SET status = 'suspended' WHERE user_id = $1"
    await as_owner(auth, 1, change, user_id)
    assert "suspended" in await refusal(auth, "carl", FIRST)


async def test_a_hundred_at_once_cost_one_hash_and_the_next_ones_none(auth: Auth) -> None:
    _, token = await member(auth, "dora")
    await set_password(auth, token, FIRST)
    before = hashed()
    replies = await asyncio.gather(*(auth.sign_in("default/dora", FIRST) for _ in range(100)))
    assert {reply.status for reply in replies} == {200}
    assert hashed() == before + 1
    assert await refusal(auth, "dora", FIRST) == ""
    assert hashed() == before + 1
    wrong = await asyncio.gather(*(auth.sign_in("dora", SECOND) for _ in range(100)))
    assert {reply.status for reply in wrong} == {400}
    assert hashed() == before + 2


async def test_what_is_known_is_asked_again_after_five_minutes() -> None:
    now = 0.0
    passwords = Passwords(lambda: now)
    try:
        stored = await passwords.hash(FIRST)
        before = hashed()
        for moment, hashes in ((1.0, 1), (300.0, 1), (301.1, 2)):
            now = moment
            assert await passwords.fits("eve", FIRST, stored)
            assert hashed() == before + hashes, moment
        assert not await passwords.fits("eve", SECOND, stored)
        assert not await passwords.fits("eve", FIRST, None)
        held = repr(vars(passwords))
        assert FIRST not in held
        assert stored not in held
    finally:
        passwords.close()


async def test_too_many_at_once_are_turned_away(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are of different people, so no two are answered by one hash."""
    monkeypatch.setattr(passwords_module, "MOST_WAITING", 4)
    state: State = auth.running.state
    hold = threading.Event()
    state.passwords._thread.submit(hold.wait)
    crowd = [asyncio.create_task(auth.sign_in(f"crowd-{n}", FIRST)) for n in range(10)]
    try:
        await eventually(lambda: sum(task.done() for task in crowd) == 6, within=20)
        turned_away = [task.result() for task in crowd if task.done()]
    finally:
        hold.set()
    assert {(reply.status, reply.headers["retry-after"]) for reply in turned_away} == {(503, "2")}
    statuses = [(await task).status for task in crowd]
    assert sorted(statuses) == [400] * 4 + [503] * 6
    assert not state.passwords._flights


async def test_the_event_loop_goes_on_while_a_hash_is_computed(auth: Auth) -> None:
    state: State = auth.running.state
    hashing, turns = asyncio.create_task(state.passwords.hash(FIRST)), 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ("short", "shorter than 12"),
        ("x" * 1025, "1024"),
        ("é" * 600, "longer than 1024 bytes"),
        ("password1234", "first that are guessed"),
        ("PasswordPassword", "first that are guessed"),
        ("ababababababab", "first that are guessed"),
        ("Frederika.Long", "it is the login"),
        ("frederika.long@x.example", "it is the login"),
        ("mst_looks_like_a_token", "begins like a token"),
        ("with a \x00 in it!", "cannot be typed"),
    ],
)
async def test_bad_passwords_are_refused_without_being_repeated(
    auth: Auth, new: str, words: str
) -> None:
    login = "frederika.long@x.example"
    found = await as_owner(auth, 1, "SELECT user_id FROM users WHERE login = $1", login)
    user_id = found if found is not None else (await member(auth, login))[0]
    token = await token_for(auth, 1, user_id)  # type: ignore[arg-type]
    reply = await auth.ask(token, "PUT", PASSWORD, {"new": new})
    assert reply.status == 400
    assert words in said(reply)["detail"]
    assert new not in said(reply)["detail"] or new == "short"


async def test_a_first_password_is_not_set_with_less_than_it_opens(auth: Auth) -> None:
    _, token = await member(auth, "gina")
    _, scoped = await auth.new_token(token, scopes=["token.own", "run.*"])
    _, bound = await auth.new_token(token, networks=["192.0.2.0/24"])
    for narrow in (scoped, bound):
        reply = await auth.ask(narrow, "PUT", PASSWORD, {"new": FIRST})
        assert (reply.status, "narrower" in said(reply)["detail"]) == (403, True)
    await set_password(auth, token, FIRST)
    # Who knows the old one has all of it already.
    await set_password(auth, scoped, SECOND, old=FIRST)


async def test_a_token_of_one_tenant_sets_no_first_password_for_another(auth: Auth) -> None:
    user_id, token = await member(auth, "ingrid")
    elsewhere = await add_tenant(auth, "first-password-elsewhere")
    await join(auth, elsewhere, user_id)
    there = await token_for(auth, elsewhere, user_id)
    for narrow in (token, there):
        reply = await auth.ask(narrow, "PUT", PASSWORD, {"new": FIRST})
        assert (reply.status, "several tenants" in said(reply)["detail"]) == (403, True)
    assert await refusal(auth, "first-password-elsewhere/ingrid", FIRST) == WRONG
    left = "UPDATE memberships SET status = 'removed' WHERE user_id = $1"
    await as_owner(auth, elsewhere, left, user_id)
    await set_password(auth, token, FIRST)


async def test_guessing_the_old_password_is_slowed(auth: Auth) -> None:
    _, token = await member(auth, "hugo")
    await set_password(auth, token, FIRST)
    body = {"old": SECOND, "new": SECOND}
    replies = await asyncio.gather(*(auth.ask(token, "PUT", PASSWORD, body) for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [400] * 5 + [429] * 3
    slowed = await auth.ask(token, "PUT", PASSWORD, {"old": FIRST, "new": SECOND})
    assert (slowed.status, int(slowed.headers["retry-after"]) > 50) == (429, True)


async def test_a_service_account_has_no_password(auth: Auth) -> None:
    user_id = await add_person(auth, "default/robot")
    await as_owner(auth, 1, "UPDATE users SET kind = 'service' WHERE user_id = $1", user_id)
    await join(auth, 1, user_id)
    token = await token_for(auth, 1, user_id)
    reply = await auth.ask(token, "PUT", PASSWORD, {"new": FIRST})
    assert reply.status == 403
    assert "tokens only" in said(reply)["detail"]


async def test_a_password_is_nowhere_in_facts_logs_and_answers(
    auth: Auth, capsys: pytest.CaptureFixture[str]
) -> None:
    with structlog.testing.capture_logs() as logs:
        _, token = await member(auth, "iris")
        await set_password(auth, token, FIRST)
        answers = [
            await auth.sign_in("default/iris", FIRST),
            await auth.sign_in("default/iris", SECOND),
            await auth.ask(token, "PUT", PASSWORD, {"old": SECOND, "new": SECOND, "x": SECOND}),
        ]
    told = await as_owner(auth, 1, "SELECT string_agg(payload::text, ' ') FROM outbox")
    stored = await as_owner(auth, 1, "SELECT password_hash FROM users WHERE login = 'iris'")
    assert "ended" in str(told)
    assert str(stored).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    out = "".join(capsys.readouterr())
    for secret in (FIRST, SECOND, token, str(stored)):
        assert secret not in str(told)
        assert secret not in str(logs) + out
        assert not any(secret.encode() in answer.body for answer in answers)
