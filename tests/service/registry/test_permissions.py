"""What members may do in the registry: by role, by grants, by owning a model, and not at all."""

import time

import msgspec
import pytest
from msgspec.structs import replace

from libs.common.access.permissions import PERMISSIONS
from libs.common.access.roles import ROLES
from libs.common.http.calling import Reply
from services.registry.api import owners, routes
from tests.service.registry.conftest import Registry
from tests.service.registry.operations import (
    ALL,
    CREATE,
    ON_ONE,
    OWNER,
    SEARCHES,
    SOMEBODY,
    furnished,
    rule,
)


def said(reply: Reply) -> tuple[int, str]:
    """Status and message of an answer, whichever form its errors have."""
    content = msgspec.json.decode(reply.body) if reply.status != 200 else {}
    return reply.status, content.get("message") or content.get("detail") or ""


async def all_there_is(registry: Registry) -> object:
    """All that the tenant has, as its owner sees it."""
    return [
        await registry.get(path) for path in ("registered-models/search", "model-versions/search")
    ]


def test_every_route_is_among_the_operations() -> None:
    """What is walked here is all there is, under the permission that is named here."""
    declared = {
        (r.method, r.paths[0], r.permission)
        for r in routes().all
        if not r.paths[0].startswith("/internal/")
    }
    for route in owners.router.routes:
        (method,) = route.methods  # type: ignore[attr-defined]
        extra = route.openapi_extra  # type: ignore[attr-defined]
        declared.add((method, route.path, extra["x-permission"]))  # type: ignore[attr-defined]
    assert declared == {(o.method, o.path, o.permission) for o in ALL}


@pytest.mark.parametrize("role", ["viewer", "contributor", "reviewer", "admin", "owner"])
async def test_a_role_does_just_what_it_holds(registry: Registry, role: str) -> None:
    """With a model of somebody else: what is not held is a 403 that helps, and changes nothing."""
    member = registry.member(role=role)
    for number, operation in enumerate(ON_ONE):
        name = await furnished(registry, f"model-{number}")
        before = await all_there_is(registry)
        status, message = said(await operation.ask(member, name))
        if operation.permission in ROLES[role]:
            assert status == 200, (operation, message)
            continue
        assert status == 403, operation
        assert f"the permission {operation.permission} on model '{name}'" in message
        assert "Ask its owner (tester) or an admin of the tenant" in message
        assert await all_there_is(registry) == before
    made = await CREATE.ask(member, "made")
    assert made.status == (200 if "model.register" in ROLES[role] else 403)
    for search in SEARCHES:
        assert b"model-0" in (await search.ask(member, "")).body


async def test_nobody_sees_or_does_anything_without_a_rule(registry: Registry) -> None:
    """On every route: as missing, word for word, or refused; and nothing has happened."""
    name = await furnished(registry, "secret")
    before = await all_there_is(registry)
    nobody = registry.member()
    for operation in ON_ONE:
        hidden, absent = [await operation.ask(nobody, n) for n in (name, "absent")]
        assert hidden.status == 404, operation
        assert hidden.body.replace(b"secret", b"absent") == absent.body
        assert hidden.status == absent.status
    for search in SEARCHES:
        assert (await search.ask(nobody, name)).body == b"{}"
    status, message = said(await CREATE.ask(nobody, name))
    assert (status, "permission model.register on model 'secret'" in message) == (403, True)
    assert (status, message.replace("secret", "absent")) == said(await CREATE.ask(nobody, "absent"))
    assert await all_there_is(registry) == before


async def test_a_denied_model_is_missing_to_an_owner_of_the_tenant(registry: Registry) -> None:
    """An explicit deny of reading hides a model, whatever else is allowed, and its name with it."""
    name = await furnished(registry, "secret")
    member = registry.member(rule("deny", "sec*", "model.read"), role="owner")
    for operation in ON_ONE:
        hidden, absent = [await operation.ask(member, n) for n in (name, "absent")]
        assert (hidden.status, absent.status) == (404, 404), operation
        assert hidden.body.replace(b"secret", b"absent") == absent.body
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    for tags in ([], prompt):
        told = [
            await member.error("POST", "registered-models/create", {"name": new, "tags": tags})
            for new in ("secret", "sect")
        ]
        assert [(status, code) for status, code, _ in told] == [(403, "PERMISSION_DENIED")] * 2
        assert told[0][2].replace("secret", "sect") == told[1][2]


async def test_an_owner_needs_no_grant_to_come_back(registry: Registry) -> None:
    """A creator may do everything with what it made, and nothing with its neighbours."""
    member = registry.member(rule("allow", "mine-*", "model.register"))
    await registry.model("mine-not")
    for number, operation in enumerate(ON_ONE):
        name = await furnished(member, f"mine-{number}")
        assert (await operation.ask(member, name)).status == 200, operation
        assert (await operation.ask(member, "mine-not")).status in (403, 404), operation
    assert (await CREATE.ask(member, "yours")).status == 403
    # The stock client registers the name before each version: it must hear that it is taken.
    status, code, _ = await member.error("POST", "registered-models/create", {"name": "mine-0"})
    assert (status, code) == (400, "RESOURCE_ALREADY_EXISTS")


async def test_a_deny_beats_a_role_a_grant_and_ownership(registry: Registry) -> None:
    """Also on what one has made oneself; what may still be read is refused as such."""
    member = registry.member(
        rule("allow", "team-*"), rule("deny", "team-x*", "model.write"), role="contributor"
    )
    for name in ("team-x", "team-y"):
        await furnished(member, name)
    for operation in ON_ONE:
        if operation.permission == "model.write":
            assert (await operation.ask(member, "team-x")).status == 403, operation
            assert (await operation.ask(member, "team-y")).status == 200, operation


async def test_a_grant_counts_in_its_workspace_only(registry: Registry) -> None:
    """The same name in another workspace is another model."""
    name = await furnished(registry, "fraud")
    elsewhere = registry.member(rule("allow", "*", workspace_id=2))
    here = registry.member(rule("allow", "fraud", "model.read"))
    assert (await ON_ONE[0].ask(elsewhere, name)).status == 404
    assert (await ON_ONE[0].ask(here, name)).status == 200


async def test_renaming_takes_both_names(registry: Registry) -> None:
    """Manage under the old and the new one, whether that one is taken or not."""
    member = registry.member(rule("allow", "a-*"), rule("allow", "*", "model.read"))
    for name in ("a-1", "a-2", "b-1"):
        await registry.model(name)

    async def rename(name: str, new_name: str) -> tuple[int, str]:
        body = {"name": name, "new_name": new_name}
        return (await member.error("POST", "registered-models/rename", body))[:2]

    assert await rename("a-1", "b-1") == (403, "PERMISSION_DENIED")
    assert await rename("a-1", "b-2") == (403, "PERMISSION_DENIED")
    assert await rename("b-1", "a-3") == (403, "PERMISSION_DENIED")
    assert await rename("a-1", "a-2") == (400, "RESOURCE_ALREADY_EXISTS")
    assert await rename("a-1", "a-3") == (200, "")


async def test_an_owner_renames_to_what_it_may_register(registry: Registry) -> None:
    """Else a model could be moved to where its owner may make none."""
    member = registry.member(rule("allow", "a-*", "model.register"))
    await member.model("a-1")
    body = {"name": "a-1", "new_name": "b-1"}
    status, _, message = await member.error("POST", "registered-models/rename", body)
    assert (status, "permission model.manage on model 'b-1'" in message) == (403, True)
    assert (
        await member.status("POST", "registered-models/rename", body | {"new_name": "a-2"}) == 200
    )


async def test_a_model_is_given_to_another(registry: Registry) -> None:
    """Who gets it may do everything, who gave it keeps what rules allow; a fact tells of it."""
    giver = registry.member(rule("allow", "*", "model.register"))
    taker = registry.member()
    await furnished(giver, "fraud")
    path = OWNER.replace("{name:path}", "fraud")
    assert (await giver.ask("GET", path)).body == msgspec.json.encode({"subject": giver.subject})
    assert (await taker.ask("GET", path)).status == 404
    assert (await giver.ask("PUT", path, {"subject": taker.subject})).status == 200
    assert (await taker.ask("GET", path)).body == msgspec.json.encode({"subject": taker.subject})
    assert (await giver.ask("GET", path)).status == 404
    assert (await taker.ask("PUT", path, {"subject": taker.subject})).status == 200
    assert (await registry.ask("PUT", path, {"subject": ""})).status == 200
    assert (await taker.ask("GET", path)).status == 404
    told = [fact for fact in await registry.facts() if fact.key == "fraud"]
    assert told[-1].type == "registry.registered-model.changed"
    owners_told = [
        fact.content["model"].get("owner", "") for fact in told if "model" in fact.content
    ]
    # Made, with an alias, given, and given up; what changed nothing was not told.
    assert owners_told == [giver.subject, giver.subject, taker.subject, ""]


@pytest.mark.parametrize("lacks", ["", "model.delete", "model.transition", "an end"])
async def test_who_only_manages_a_model_does_not_take_it(registry: Registry, lacks: str) -> None:
    """An owner may do everything for ever: to make one takes to hold all of that oneself."""
    await registry.model("team-x")
    names = {each.name for each in PERMISSIONS.values() if each.kind == "model"} - {lacks}
    held = rule("allow", "team-*", *names)
    if lacks == "an end":
        held = replace(held, expires_at=int(time.time() * 1000) + 3_600_000)
    member, friend = registry.member(held), registry.member()
    path = OWNER.replace("{name:path}", "team-x")
    for subject in (friend.subject, member.subject, ""):
        status, message = said(await member.ask("PUT", path, {"subject": subject}))
        if lacks:
            assert status == 403
            assert message.endswith("Ask its owner (tester) or an admin of the tenant.")
            assert "by rules without end" in message
            assert lacks == "an end" or f"you lack {lacks} on it" in message
        else:
            assert status == 200, message
    owner = b"tester" if lacks else b'""'
    assert owner in (await registry.ask("GET", path)).body


@pytest.mark.parametrize("subject", ["tester", "user:", "user:7", f"team:{SOMEBODY[5:]}"])
async def test_only_a_member_can_own(registry: Registry, subject: str) -> None:
    """The refusal names the field and the form."""
    await registry.model("fraud")
    path = OWNER.replace("{name:path}", "fraud")
    status, message = said(await registry.ask("PUT", path, {"subject": subject}))
    assert (status, "body.subject" in message) == (400, True)


async def test_a_scoped_credential_reaches_less_than_its_holder(registry: Registry) -> None:
    """By resource, by permission, and by both."""
    for name in ("a-1", "b-1"):
        await furnished(registry, name)
    member = registry.member(role="owner")
    member.claims |= {"scope": "model:a-* model.read"}
    answers = [(await operation.ask(member, "a-1")).status for operation in ON_ONE]
    assert answers == [200 if o.permission == "model.read" else 403 for o in ON_ONE]
    assert {(await o.ask(member, "b-1")).status for o in ON_ONE} <= {403, 404}
    found = await member.get("registered-models/search")
    assert [model["name"] for model in found["registered_models"]] == ["a-1"]
