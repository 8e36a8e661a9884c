"""Whose word counts: denials, owners, names old and new, and changes while things go on."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from libs.common.access.permissions import PERMISSIONS
from services.tracking.service import SERVICE
from tests.service.tracking.every_route import OPERATIONS, SOMEBODY, asked, new_site
from tests.service.tracking.making import data_of, new_experiment, new_run
from tests.service.tracking.people import Person, allow, deny, person
from tests.serving import Client, served
from tests.waiting import eventually

POINT = {"key": "m", "value": 1, "timestamp": 1}
BYTES = "/api/2.0/mlflow-artifacts/artifacts"
OWNER = "/api/maestro/v1/experiments/{}/owner"


async def answered(client: Client, path: str, body: Any) -> tuple[int, str]:
    """Status and message of a POST."""
    reply = await client.ask("POST", f"/api/2.0/mlflow/{path}", body)
    return reply.status, json.loads(reply.body).get("message", "")


async def logs(client: Client, run_id: str) -> int:
    """The status of logging a point."""
    return (await answered(client, "runs/log-metric", {"run_id": run_id, **POINT}))[0]


async def given(client: Client, experiment_id: str, subject: str) -> tuple[int, Any]:
    """Status and answer of giving an experiment away."""
    reply = await client.ask("PUT", OWNER.format(experiment_id), {"subject": subject})
    return reply.status, json.loads(reply.body)


async def test_a_denial_beats_a_role_a_grant_and_ownership(client: Client) -> None:
    member = person(client, "contributor", allow("a/*", "run.log"), deny("a/x", "run.log"))
    experiment_id = await new_experiment(member, "a/x")
    run_id = await new_run(member, experiment_id)
    status, message = await answered(member, "runs/log-metric", {"run_id": run_id, **POINT})
    assert status == 403
    assert "run.log on experiment 'a/x'" in message
    assert member.subject in message
    other = await new_run(member, await new_experiment(member, "a/xy"))
    assert await logs(member, other) == 200


async def test_a_denied_read_hides_an_experiment_with_all_that_lies_in_it(client: Client) -> None:
    site = await new_site(client, "secret/x")
    member = person(client, "owner", deny("secret/*", "experiment.read"))
    await given(client, site.experiment, member.subject)
    for _ in range(2):
        for search in ("runs/search", "logged-models/search"):
            assert await member.post(search, {"experiment_ids": [site.experiment]}) == {}
        assert await logs(member, site.run) == 404
    create = {"name": "secret/y"}
    assert (await answered(member, "experiments/create", create))[0] == 403


@pytest.mark.parametrize("scope", ["*", "run.log"])
async def test_who_may_log_alone_is_answered_alike_each_time(client: Client, scope: str) -> None:
    """Cold and warm: where reading is denied nothing goes, where it was never allowed logging."""
    rules = (allow("*", "run.log"), deny("zz", "run.log"))
    for name, status in (("secret/x", 404), ("open", 200)):
        run_id = await new_run(client, await new_experiment(client, name))
        member = person(client, "", *rules, deny("secret/*", "experiment.read"), scope=scope)
        assert [await logs(member, run_id) for _ in range(3)] == [status] * 3


async def test_who_sees_an_experiment_but_not_its_runs_is_told_so(client: Client) -> None:
    site = await new_site(client, "open")
    member = person(client, "", allow("open", "experiment.read"))
    for operation in OPERATIONS:
        if operation.permission != "run.read" or operation.method != "GET":
            continue
        reply = await asked(member, operation, site)
        if "bulk" in operation.name:
            assert json.loads(reply.body) in ({}, {"metrics": []})
        else:
            assert reply.status == 403
            assert b"run.read on experiment 'open'" in reply.body


async def test_a_credential_for_some_experiments_reaches_no_others(client: Client) -> None:
    member = person(client, "owner", scope="experiment:a/*")
    inside = await new_run(client, await new_experiment(client, "a/x"))
    outside = await new_run(client, await new_experiment(client, "b/x"))
    assert (await logs(member, inside), await logs(member, outside)) == (200, 404)
    status, _ = await answered(member, "experiments/create", {"name": "b/y"})
    assert status == 403


async def test_creating_takes_a_rule_about_the_name(client: Client) -> None:
    member = person(client, "", allow("a/*", "experiment.create"))
    assert (await answered(member, "experiments/create", {"name": "a/x"}))[0] == 200
    status, message = await answered(member, "experiments/create", {"name": "b/x"})
    assert status == 403
    assert "experiment.create on experiment 'b/x'" in message


async def test_a_hidden_name_is_still_taken(client: Client) -> None:
    await new_experiment(client, "a/taken")
    member = person(client, "", allow("a/*", "experiment.create"))
    reply = await member.ask("POST", "/api/2.0/mlflow/experiments/create", {"name": "a/taken"})
    assert json.loads(reply.body)["error_code"] == "RESOURCE_ALREADY_EXISTS"


async def test_default_belongs_to_nobody_and_counts_by_its_name(client: Client) -> None:
    first = person(client, "", allow("x", "experiment.create"))
    assert (await answered(first, "runs/create", {"experiment_id": "0"}))[0] == 404
    member = person(client, "", allow("Default", "run.create", "run.log", "experiment.read"))
    assert await logs(member, await new_run(member)) == 200
    reply = await member.ask("GET", OWNER.format(0))
    assert (reply.status, json.loads(reply.body)) == (200, {"subject": ""})


@pytest.mark.parametrize(
    ("rules", "name", "status"),
    [
        ([allow("old", "experiment.manage")], "new", 403),
        ([allow("new", "experiment.manage")], "new", 404),
        ([allow("new", "experiment.manage"), allow("old", "experiment.read")], "new", 403),
        ([allow("old", "experiment.manage"), allow("new", "experiment.manage")], "new", 200),
        ([allow("*", "experiment.manage"), deny("new", "experiment.manage")], "new", 403),
    ],
)
async def test_renaming_takes_the_permission_under_both_names(
    client: Client, rules: list[Any], name: str, status: int
) -> None:
    experiment_id = await new_experiment(client, "old")
    member = person(client, "", *rules)
    body = {"experiment_id": experiment_id, "new_name": name}
    assert (await answered(member, "experiments/update", body))[0] == status


async def test_an_owner_renames_to_what_it_could_have_made_and_not_among_others(
    client: Client,
) -> None:
    member = person(client, "", allow("mine/*", "experiment.create"))
    experiment_id = await new_experiment(member, "mine/x")
    rename = {"experiment_id": experiment_id, "new_name": "mine/y"}
    assert (await answered(member, "experiments/update", rename))[0] == 200
    rename["new_name"] = "theirs/x"
    status, message = await answered(member, "experiments/update", rename)
    assert status == 403
    assert "experiment.manage on experiment 'theirs/x'" in message


async def test_an_experiment_is_given_away_and_given_up(client: Client) -> None:
    rule = allow("a/*", "experiment.create")
    giver, taker = person(client, "", rule), person(client, "")
    experiment_id = await new_experiment(giver, "a/x")
    run_id = await new_run(giver, experiment_id)
    assert (await logs(giver, run_id), await logs(taker, run_id)) == (200, 404)
    assert await given(taker, experiment_id, taker.subject) == (
        404,
        {
            "type": "about:blank",
            "title": "Resource does not exist",
            "status": 404,
            "detail": f"No Experiment with id={experiment_id} exists",
            "code": "RESOURCE_DOES_NOT_EXIST",
        },
    )
    assert await given(giver, experiment_id, taker.subject) == (200, {"subject": taker.subject})
    assert (await logs(giver, run_id), await logs(taker, run_id)) == (404, 200)
    assert (await given(taker, experiment_id, ""))[0] == 200
    assert (await logs(giver, run_id), await logs(taker, run_id)) == (404, 404)
    assert await logs(client, run_id) == 200


@pytest.mark.parametrize("lacks", ["", "run.delete", "an end"])
async def test_who_only_manages_an_experiment_does_not_take_it(client: Client, lacks: str) -> None:
    """An owner may do everything for ever: to make one takes to hold all of that oneself."""
    experiment_id = await new_experiment(client, "team/x")
    run_id = await new_run(client, experiment_id)
    names = {each.name for each in PERMISSIONS.values() if each.kind == "experiment"} - {lacks}
    held = allow("team/*", *names)
    if lacks == "an end":
        held = replace(held, expires_at=int(time.time() * 1000) + 3_600_000)
    member, friend = person(client, "", held), person(client, "")
    for subject in (friend.subject, member.subject, ""):
        status, answer = await given(member, experiment_id, subject)
        assert status == (403 if lacks else 200), answer
        if lacks:
            assert "Ask its owner (tester) or an admin of the tenant." in answer["detail"]
            assert lacks == "an end" or f"you lack {lacks} on it" in answer["detail"]
    deleted, _ = await answered(member, "runs/delete", {"run_id": run_id})
    assert deleted == (403 if lacks == "run.delete" else 200)


@pytest.mark.parametrize("subject", ["ada", "user:ada", f"{SOMEBODY} ", "group:" + SOMEBODY[5:]])
async def test_an_owner_is_a_member_or_a_service_account(client: Client, subject: str) -> None:
    experiment_id = await new_experiment(client, "a/x")
    status, answer = await given(client, experiment_id, subject)
    assert (status, answer["code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "subject" in answer["detail"]


async def test_points_about_a_hidden_model_are_refused_as_about_none(client: Client) -> None:
    site = await new_site(client, "theirs/x")
    member = person(client, "", allow("mine/*", "experiment.create"))
    run_id = await new_run(member, await new_experiment(member, "mine/x"))
    answers = []
    for model_id in (site.model, "m-" + "0" * 32):
        body = {"run_id": run_id, **POINT, "model_id": model_id}
        status, message = await answered(member, "runs/log-metric", body)
        answers.append((status, message.replace(model_id, "m")))
    assert answers == [(404, "Logged model with ID 'm' not found.")] * 2
    assert (await data_of(member, run_id)).get("metrics") is None


async def test_an_artifact_path_cannot_borrow_an_experiment(client: Client) -> None:
    site = await new_site(client, "theirs/x")
    member = person(client, "", allow("mine/*", "experiment.create"))
    mine = await new_experiment(member, "mine/x")
    path = f"{BYTES}/{mine}/{site.run}/artifacts/file.txt"
    for method in ("PUT", "GET", "DELETE"):
        assert (await member.ask(method, path, raw=b"x")).status == 404


async def test_a_change_that_is_heard_counts_at_the_next_request(client: Client) -> None:
    run_id = await new_run(client, await new_experiment(client, "a/x"))
    member = person(client, "", allow("a/*", "run.log", "experiment.read"))
    assert await logs(member, run_id) == 200

    def told(role: str, version: int, *rules: Any) -> None:
        member.may(role, *rules, version=version)
        client.running.authority.heard(client.tenant.number, member.subject, version)

    told("viewer", 2)
    assert await logs(member, run_id) == 403
    told("", 3)
    assert await logs(member, run_id) == 404
    told("contributor", 4)
    assert await logs(member, run_id) == 200


async def test_who_may_do_it_with_everything_is_not_looked_up(client: Client) -> None:
    run_id = await new_run(client, await new_experiment(client, "a/x"))
    assert await logs(person(client, "contributor"), run_id) == 200
    known = client.running.state.known
    assert not [key for key in known._experiments if key[0] == client.tenant.number]
    assert not [key for key in known._contents if key[0] == client.tenant.number]


async def test_other_processes_hear_of_a_new_name_and_owner(
    client: Client, platform_environment: Mapping[str, str]
) -> None:
    experiment_id = await new_experiment(client, "a/x")
    run_id = await new_run(client, experiment_id)
    rule = allow("a/*", "run.log", "experiment.read")
    async with served(
        SERVICE, platform_environment, signer=client.signer, tenant=client.tenant
    ) as elsewhere:
        member, owner = person(elsewhere, "", rule), person(elsewhere, "")
        known = elsewhere.running.state.known
        await heard_by(client, elsewhere, member)
        assert (await logs(member, run_id), await logs(owner, run_id)) == (200, 404)
        rename = {"experiment_id": experiment_id, "new_name": "b/x"}
        await client.post("experiments/update", rename)

        async def refused() -> bool:
            return await logs(member, run_id) == 404

        await eventually(refused, within=30)
        await given(client, experiment_id, owner.subject)
        assert await logs(owner, run_id) == 200
        await given(client, experiment_id, "")

        async def refused_too() -> bool:
            return await logs(owner, run_id) == 404

        await eventually(refused_too, within=30)
        assert known.experiment(client.tenant.number, 1, int(experiment_id)).owner == ""


async def heard_by(client: Client, elsewhere: Client, member: Person) -> None:
    """Wait until another process hears the changes of experiments."""
    probe = await new_experiment(client, "probe")
    place = client.tenant.number, 1, int(probe)

    async def heard() -> bool:
        tag = {"experiment_id": probe, "key": "k", "value": "v"}
        await client.post("experiments/set-experiment-tag", tag)
        return elsewhere.running.state.known.experiment(*place) is not None

    await eventually(heard, within=60, pause=0.2)
