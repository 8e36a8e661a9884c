"""Searches show what the caller may read and nothing else, in full pages."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from libs.common.contracts.auth import AccessRule
from tests.service.registry.conftest import Registry
from tests.service.registry.operations import OWNER, rule

KINDS = ["registered-models", "model-versions"]
NAMES = [f"{team}-{number}" for team in ("a", "b", "c", "å", "ab") for number in range(4)]
READ = "model.read"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shelves(running_registry: Registry) -> Registry:
    """A tenant with four models of one version in each of five teams; searches change nothing."""
    registry = running_registry.another()
    for name in NAMES:
        await registry.model(name)
        await registry.version(name)
    return registry


async def pages(client: Registry, kind: str, size: int, **query: object) -> list[list[str]]:
    """The names on every page, asked for token by token."""
    found: list[list[str]] = []
    token = ""
    while True:
        asked = {"max_results": size, "order_by": "name", "page_token": token, **query}
        page: Any = await client.get(f"{kind}/search", urlencode(asked))
        found.append([entry["name"] for entry in page.get(kind.replace("-", "_"), [])])
        token = page.get("next_page_token", "")
        if not token:
            return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ([rule("allow", "a-*", READ)], lambda name: name.startswith("a-")),
        ([rule("allow", "a*", READ)], lambda name: name.startswith("a")),
        (
            [rule("allow", "a-*", READ), rule("allow", "å-*", READ), rule("allow", "b-3", READ)],
            lambda name: name.startswith(("a-", "å-")) or name == "b-3",
        ),
        (
            [rule("allow", "*", READ), rule("deny", "b-*", READ), rule("deny", "c-1", READ)],
            lambda name: not name.startswith("b-") and name != "c-1",
        ),
        (
            [rule("allow", "a*", READ), rule("deny", "a-*", READ), rule("allow", "a-1", READ)],
            lambda name: name.startswith("ab"),
        ),
        ([rule("allow", "*", READ), rule("deny", "*", READ)], lambda name: False),
        ([rule("allow", "*", "model.write")], lambda name: False),
    ],
)
async def test_pages_are_full_of_what_may_be_read(
    shelves: Registry, kind: str, rules: Sequence[AccessRule], seen: Any
) -> None:
    """Every page but the last holds as many as were asked for, and all of them once."""
    member = shelves.member(*rules)
    found = await pages(member, kind, 3)
    assert [name for page in found for name in page] == sorted(filter(seen, NAMES))
    assert all(len(page) == 3 for page in found[:-1])
    assert (found == [[]]) is not any(map(seen, NAMES))


@pytest.mark.parametrize("kind", KINDS)
async def test_filters_narrow_what_may_be_read(shelves: Registry, kind: str) -> None:
    """A filter that names what is hidden finds as much as one that names what is not there."""
    member = shelves.member(rule("allow", "a-*", READ))
    assert await pages(member, kind, 9, filter="name LIKE '%-1'") == [["a-1"]]
    assert await pages(member, kind, 9, filter="name = 'b-1'") == [[]]


async def test_what_one_owns_is_found(registry: Registry) -> None:
    """Without any rule to read; a deny hides it from its owner, too."""
    member = registry.member(rule("allow", "*", "model.register"), rule("deny", "x*", READ))
    await registry.model("theirs")
    await member.model("mine")
    await registry.model("xyz")
    path = OWNER.replace("{name:path}", "xyz")
    assert (await registry.ask("PUT", path, {"subject": member.subject})).status == 200
    for name in ("mine", "xyz"):
        await registry.version(name)
    for kind in KINDS:
        assert await pages(member, kind, 9) == [["mine"]]


async def test_prompts_are_hidden_as_models_are(registry: Registry) -> None:
    """They are registered models, and stand under the same rules."""
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    for name in ("a-greeting", "b-greeting"):
        await registry.model(name, tags=tags)
        await registry.version(name, source="dummy-source", tags=tags)
    member = registry.member(rule("allow", "a-*", READ))
    for kind in KINDS:
        asked = "tags.`mlflow.prompt.is_prompt` = 'true'"
        assert await pages(member, kind, 9, filter=asked) == [["a-greeting"]]
    assert await member.status("GET", "registered-models/get", query="name=b-greeting") == 404
