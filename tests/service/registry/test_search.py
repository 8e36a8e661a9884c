"""Searches over HTTP: filters, orders, pages, hidden prompts, and the time they may take."""

import base64
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from tests.service.registry.conftest import Registry

MODELS = "registered-models/search"
VERSIONS = "model-versions/search"
PROMPT = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def library(running_registry: Registry) -> Registry:
    """A tenant with models, versions and a prompt; searches change nothing."""
    registry = running_registry.another()
    await registry.model("Abc", tags=tags(k="one", k2="Two"))
    await registry.model("a", tags=tags(t="v"))
    await registry.model("abc_d", tags=tags(**{"k": "two", "a b": "x", "a.b": "y"}))
    await registry.model("x%y_z")
    await registry.model("greeting", tags=PROMPT)
    for name, fields in (("Abc", {"t": "1"}), ("a", {}), ("a", {"t": "2"}), ("a", {"t": "1"})):
        await registry.version(name, tags=tags(**fields))
    await registry.version("greeting", source="dummy-source", tags=PROMPT)
    return registry


def tags(**pairs: str) -> list[dict[str, str]]:
    """Tags as a request has them."""
    return [{"key": key, "value": value} for key, value in pairs.items()]


async def models(registry: Registry, **query: object) -> list[str]:
    """The names that a search of models finds."""
    found = await registry.get(MODELS, urlencode(query, doseq=True))
    return [model["name"] for model in found.get("registered_models", [])]


async def versions(registry: Registry, **query: object) -> list[str]:
    """`name/version` of what a search of versions finds."""
    found = await registry.get(VERSIONS, urlencode(query, doseq=True))
    return [f"{v['name']}/{v['version']}" for v in found.get("model_versions", [])]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ["Abc", "a", "abc_d", "x%y_z"]),
        ("name = 'a'", ["a"]),
        ("name != 'a'", ["Abc", "abc_d", "x%y_z"]),
        ("name LIKE 'a%'", ["a", "abc_d"]),
        ("name LIKE '%b%' AND name LIKE 'A%'", ["Abc"]),
        ("name ILIKE 'A%'", ["Abc", "a", "abc_d"]),
        ("name LIKE 'a_c__'", ["abc_d"]),
        ("name LIKE 'a\\'", []),
        ("name IN ('a', 'Abc', 'greeting')", ["Abc", "a"]),
        ("name NOT IN ('a', 'Abc')", ["abc_d", "x%y_z"]),
        ("tags.k = 'one'", ["Abc"]),
        ("tags.k != 'one'", ["abc_d"]),
        ("tags.k LIKE '%o'", ["abc_d"]),
        ("tags.k ILIKE 'ONE'", ["Abc"]),
        ("tags.k = 'one' AND tags.k2 = 'Two'", ["Abc"]),
        ("tags.k = 'one' AND tags.k LIKE 'o%'", ["Abc"]),
        ("tags.k = 'one' AND tags.k = 'two'", []),
        ("tags.`a b` = 'x' AND tags.a.b = 'y'", ["abc_d"]),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", ["greeting"]),
        ("tags.`mlflow.prompt.is_prompt` != 'true'", ["Abc", "a", "abc_d", "x%y_z"]),
    ],
)
async def test_filters_of_models(library: Registry, text: str, names: list[str]) -> None:
    """As `mlflow server` finds them; prompts are hidden unless named."""
    assert await models(library, filter=text) == names


@pytest.mark.parametrize(
    ("order_by", "names"),
    [
        (["name DESC"], ["x%y_z", "abc_d", "a", "Abc"]),
        (["timestamp ASC"], ["abc_d", "x%y_z", "Abc", "a"]),
        (["last_updated_timestamp DESC", "name"], ["a", "Abc", "x%y_z", "abc_d"]),
    ],
)
async def test_orders_of_models(library: Registry, order_by: list[str], names: list[str]) -> None:
    """A new version counts as a change of its model."""
    assert await models(library, order_by=order_by) == names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["a/3", "a/2", "a/1", "Abc/1"]),
        ("name = 'a'", ["a/3", "a/2", "a/1"]),
        ("name = 'a' AND version_number >= 2", ["a/3", "a/2"]),
        ("version_number != 1", ["a/3", "a/2"]),
        ("version_number = '1' AND name LIKE 'A%'", ["Abc/1"]),
        (f"version_number < {'9' * 25}", ["a/3", "a/2", "a/1", "Abc/1"]),
        ("tags.t = '1'", ["a/3", "Abc/1"]),
        ("tags.t != '1'", ["a/2"]),
        ("source_path LIKE 'runs:/%/model'", ["a/3", "a/2", "a/1", "Abc/1"]),
        ("source_path = 'x'", []),
        ("run_id = ''", []),
        ("name = 'greeting'", []),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", ["greeting/1"]),
    ],
)
async def test_filters_of_versions(library: Registry, text: str, found: list[str]) -> None:
    """As `mlflow server` finds them; versions of prompts are hidden unless named."""
    assert await versions(library, filter=text) == found


async def test_versions_by_run(library: Registry) -> None:
    """What the page of a run asks."""
    run_id = library.first_runs[library.tenant.number]
    assert len(await versions(library, filter=f"run_id = '{run_id}'")) == 4
    assert len(await versions(library, filter=f"run_id IN ('{run_id}', 'x')")) == 4
    assert await versions(library, filter=f"run_id NOT IN ('{run_id}')") == []
    assert len(await versions(library, filter=f"run_id ILIKE '{run_id.upper()}'")) == 4


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        (["name"], ["Abc/1", "a/3", "a/2", "a/1"]),
        (["name DESC", "version_number"], ["a/1", "a/2", "a/3", "Abc/1"]),
        (["version_number", "name DESC"], ["a/1", "Abc/1", "a/2", "a/3"]),
        (["creation_timestamp"], ["Abc/1", "a/1", "a/2", "a/3"]),
    ],
)
async def test_orders_of_versions(library: Registry, order_by: list[str], found: list[str]) -> None:
    """In the order of the clauses; ties by name, then newest first."""
    assert await versions(library, order_by=order_by) == found


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize(
    ("path", "order_by"),
    [
        *(
            (MODELS, order)
            for order in ([], ["name DESC"], ["timestamp"], ["timestamp DESC", "name"])
        ),
        *((VERSIONS, order) for order in ([], ["name DESC"], ["version_number", "name DESC"])),
        (VERSIONS, ["name", "version_number"]),
        (VERSIONS, ["creation_timestamp DESC", "name", "last_updated_timestamp"]),
        (VERSIONS, ["version_number DESC", "creation_timestamp", "last_updated_timestamp DESC"]),
    ],
)
async def test_pages_hold_everything_once_and_in_order(
    library: Registry, path: str, order_by: list[str], size: int
) -> None:
    """Token by token; the last page has none."""
    key = "registered_models" if path == MODELS else "model_versions"
    asked = [("order_by", order) for order in order_by]
    whole = await library.get(path, urlencode(asked))
    found: list[tuple[str, str]] = []
    token = ""
    for _ in range(10):
        query = [*asked, ("max_results", size), ("page_token", token)]
        page = await library.get(path, urlencode(query))
        assert len(page[key]) <= size
        found += [(entry["name"], entry.get("version")) for entry in page[key]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert found == [(entry["name"], entry.get("version")) for entry in whole[key]]
    assert len(found) == 4


async def test_a_token_is_good_for_its_own_search_only(library: Registry) -> None:
    """Not for another search, order, filter or tenant, and not when it was written by anybody."""
    token = (await library.get(MODELS, "max_results=1"))["next_page_token"]
    offset = base64.b64encode(b'{"offset": 1}').decode()
    stranger = library.another()
    for registry, path, query in (
        (library, VERSIONS, {"page_token": token}),
        (library, MODELS, {"page_token": token, "order_by": "name DESC"}),
        (library, MODELS, {"page_token": token, "filter": "name != 'a'"}),
        (library, MODELS, {"page_token": offset}),
        (library, MODELS, {"page_token": token[:-4]}),
        (stranger, MODELS, {"page_token": token}),
    ):
        status, code, message = await registry.error("GET", path, query=urlencode(query))
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
        assert message == "Invalid page token, it was not given by this server for this search"


@pytest.mark.parametrize(
    ("path", "query", "words"),
    [
        (MODELS, "max_results=1001", "Invalid value"),
        (MODELS, "max_results=x", "Invalid value"),
        (MODELS, "max_results=-1", "It must be a positive integer"),
        (VERSIONS, "max_results=0", "It must be a positive integer, but got 0"),
        (VERSIONS, "max_results=200001", "Invalid value"),
        (MODELS, "page_token=x", "Invalid page token, could not base64-decode"),
        (MODELS, "filter=metrics.x+%3D+1", "Invalid entity type 'metrics'."),
        (VERSIONS, "filter=current_stage+%3D+%27None%27", "Invalid attribute key 'current_stage'"),
        (MODELS, "order_by=nome", "Invalid order by key 'nome'"),
        (VERSIONS, "order_by=nome", "Invalid attribute key 'nome'"),
    ],
)
async def test_searches_that_are_refused(
    library: Registry, path: str, query: str, words: str
) -> None:
    """In MLflow's words."""
    status, code, message = await library.error("GET", path, query=query)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert words in message


async def test_a_found_model_shows_its_latest_versions(library: Registry) -> None:
    """One a stage, without aliases, as MLflow's searches show them."""
    found = await library.get(MODELS, urlencode({"filter": "name = 'a'"}))
    (model,) = found["registered_models"]
    assert [version["version"] for version in model["latest_versions"]] == ["3"]
    assert model["tags"] == [{"key": "t", "value": "v"}]
