"""Each route of tracking decides: denied by default, hidden as missing, 403 to who may only read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from libs.common.access.permissions import PERMISSIONS
from services.tracking.artifacts.folder import Folder
from tests.service.tracking.every_route import (
    NOWHERE,
    OPERATIONS,
    SECRET,
    SENT,
    Operation,
    Site,
    asked,
    new_site,
    state_of,
)
from tests.service.tracking.people import allow, person
from tests.serving import Client, new_tenant

pytestmark = pytest.mark.usefixtures("signing")
NAME = "team-a/live"
WRITES = [operation for operation in OPERATIONS if not operation.reads]
# They are about what is not there yet.
OF_NO_SITE = {"create_experiment", "create_ingest_pass"}
READS = [operation for operation in OPERATIONS if operation.reads]


@pytest.fixture(scope="module")
def signing() -> Iterator[None]:
    """The store gives URLs as a bucket does, so that who is given one can be asked."""

    async def signed(_: Folder, key: str, seconds: int) -> str:
        return f"https://store.example/{key}?{SECRET}={seconds}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "signs", True)
        patch.setattr(Folder, "signed", signed)
        yield


@dataclass(frozen=True)
class Live:
    """A site that nobody may change in these tests, and its maker."""

    client: Client
    site: Site


async def new_live(client: Client) -> Site:
    """A site beside others, so that its ids are not the first of their tenant."""
    for number in range(3):
        await client.post("experiments/create", {"name": f"beside {number}"})
    return await new_site(client, NAME)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tracking: Client, signing: None) -> Live:
    """A site that is only read, whoever asks for whatever."""
    client = tracking.of(new_tenant())
    return Live(client, await new_live(client))


def test_every_route_is_asked_here() -> None:
    assert {operation.name for operation in OPERATIONS} == set(SENT)
    assert len(OPERATIONS) > 40


@pytest.mark.parametrize("known", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_without_a_rule_a_live_resource_cannot_be_told_from_none(
    live: Live, operation: Operation, known: bool
) -> None:
    client, site = live.client, live.site
    client.running.state.known.forget_experiments()
    if known:
        # Somebody else's requests have put the site's name and owner into memory.
        permissions = {operation.permission for operation in READS}
        await state_of(person(client, "", allow("team-a/*", *permissions)), site)
    before = await state_of(client, site)
    nobody = person(client, "")
    hidden = await asked(nobody, operation, site)
    missing = await asked(nobody, operation, NOWHERE)
    assert (hidden.status, site.told_as(NOWHERE, hidden.body)) == (missing.status, missing.body)
    if hidden.status == 200:
        assert operation.reads
        assert SECRET.encode() not in hidden.body
        assert NAME.encode() not in hidden.body
    else:
        assert hidden.status == (403 if operation.name in OF_NO_SITE else 404)
    assert await state_of(client, site) == before


@pytest.mark.parametrize("operation", READS, ids=str)
async def test_a_viewer_reads(live: Live, operation: Operation) -> None:
    reply = await asked(person(live.client, "viewer"), operation, live.site)
    assert reply.status == 200
    shown = {"get_experiment_owner": b"tester", "list_artifacts": b"file.txt"}
    shown |= {"list_run_artifacts": b"file.txt", "get_retention": b"deleted_days"}
    assert shown.get(operation.name, SECRET.encode()) in reply.body


@pytest.mark.parametrize("operation", WRITES, ids=str)
async def test_a_viewer_writes_nothing_and_learns_whom_to_ask(
    live: Live, operation: Operation
) -> None:
    before = await state_of(live.client, live.site)
    reply = await asked(person(live.client, "viewer"), operation, live.site)
    answer = json.loads(reply.body)
    assert reply.status == 403
    assert answer.get("error_code", answer.get("code")) == "PERMISSION_DENIED"
    told = answer.get("message", answer.get("detail"))
    name, whom = NAME, "its owner (tester) or an admin of the tenant"
    if operation.name == "create_experiment":
        name, whom = f"{NAME} more", "an admin of the tenant"
    on = f"experiment {name!r}"
    if operation.name == "create_ingest_pass":
        on, whom = "any experiment", "an admin of the tenant"
    assert told.endswith(f"takes the permission {operation.permission} on {on}. Ask {whom} for it.")
    assert await state_of(live.client, live.site) == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_whoever_makes_an_experiment_needs_no_rule_to_do_everything_with_it(
    client: Client, operation: Operation
) -> None:
    maker = person(client, "", allow("mine/*", "experiment.create"))
    site = await new_site(maker, "mine/own")
    if operation.name == "restore_experiment":
        await maker.post("experiments/delete", {"experiment_id": site.experiment})
    assert (await asked(maker, operation, site)).status in (200, 201)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_the_permission_that_a_route_declares_is_the_one_that_decides(
    client: Client, live: Live, operation: Operation
) -> None:
    owner, site = live.client, live.site
    if not operation.reads:
        owner, site = client, await new_live(client)
    if operation.name == "restore_experiment":
        await owner.post("experiments/delete", {"experiment_id": site.experiment})
    held = {operation.permission}
    if operation.name == "log_batch":
        held.add("logged-model.read")  # its point is about a model
    if operation.name == "fork_run":
        held.add("run.read")  # the fork shows what the run logged
    if operation.name == "put_experiment_owner":
        held = {each.name for each in PERMISSIONS.values() if each.kind == "experiment"}
    reply = await asked(person(owner, "", allow("team-a/*", *held)), operation, site)
    assert reply.status in (200, 201)
