"""A version is made only from what its maker may read: runs, logged models, other versions."""

import pytest

from tests.service.registry.conftest import Registry
from tests.service.registry.operations import furnished, rule
from tests.service.registry.test_origins import CREATE, known
from tests.waiting import eventually

MISSING = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"})
DENIED = (403, {"error_code": "PERMISSION_DENIED", "message": "Ask the owner for run.read."})


def maker(registry: Registry) -> Registry:
    """A member that may register anything, and read no run as a matter of course."""
    return registry.member(rule("allow", "*", "model.register"))


@pytest.mark.parametrize("of", ["run", "logged model"])
async def test_tracking_decides_what_may_be_registered(registry: Registry, of: str) -> None:
    """Also about what the read model knows: that does not know who may read it."""
    await registry.model("fraud")
    run_id = await registry.known_run()
    member = maker(registry)
    source = {"source": f"runs:/{run_id}/model", "run_id": run_id}
    named = run_id
    if of == "logged model":
        named = await registry.known_model(run_id)
        source = {"source": f"models:/{named}", "model_id": named}
    await eventually(lambda: known(registry, run_id), within=20)
    body = {"name": "fraud", **source}
    answers = registry.tracking.answers
    answers[member.subject, named] = MISSING
    status, code, message = await member.error("POST", CREATE, body)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    unknown = named.replace(named[2:], "0" * len(named[2:]))
    absent = {key: value.replace(named, unknown) for key, value in body.items()}
    assert await member.error("POST", CREATE, absent) == (
        (status, code, message.replace(named, unknown))
    )
    answers[member.subject, named] = DENIED
    assert await member.error("POST", CREATE, body) == (
        403,
        "PERMISSION_DENIED",
        DENIED[1]["message"],
    )
    del answers[member.subject, named]
    assert await member.status("POST", CREATE, body) == 200
    # Who may read every run is not asked about.
    registry.tracking.reads.clear()
    assert await registry.status("POST", CREATE, body) == 200
    assert registry.tracking.reads == []


async def test_a_copy_takes_the_right_to_read_the_origin(registry: Registry) -> None:
    """By number, alias, stage or as the latest; what is hidden answers as what is missing."""
    await furnished(registry, "secret")
    await furnished(registry, "public")
    await registry.model("copy")
    member = registry.member(
        rule("allow", "copy", "model.register"), rule("allow", "public", "model.read")
    )
    for tail in ("/1", "@best", "/None", "/latest"):
        hidden = await member.error(
            "POST", CREATE, {"name": "copy", "source": f"models:/secret{tail}"}
        )
        assert hidden == (
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "Registered Model with name=secret not found",
        )
        body = {"name": "copy", "source": f"models:/public{tail}"}
        assert await member.status("POST", CREATE, body) == 200


async def test_a_versions_files_go_out_as_to_the_caller(registry: Registry) -> None:
    """The registry finds them for who may read the model; tracking decides about the bytes."""
    await furnished(registry, "fraud")
    member = registry.member(rule("allow", "fraud", "model.read"))
    query = "name=fraud&version=1&path=MLmodel"
    assert (await member.ask("GET", "/model-versions/get-artifact", query=query)).status == 200
    reader = registry.member(rule("allow", "other", "model.read"))
    assert (await reader.ask("GET", "/model-versions/get-artifact", query=query)).status == 404
