"""Search of logged models: filters, orders and pages, as `mlflow server` 3.17.2 answers them.

Not-a-number alone differs: MLflow stores it as 0 here, and this server keeps it, as it does in
runs; it matches != only, and comes after the numbers in either order.
"""

from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.service.tracking.owners import new_run
from tests.serving import Client, new_tenant

VALUES = [0.1, 0.5, "NaN", "Infinity", -1]


class Models:
    """Six logged models, m0 to m5, of one experiment."""

    def __init__(self, client: Client, experiment_id: str, ids: dict[str, str]) -> None:
        self.client = client
        self.experiment_id = experiment_id
        self.ids = ids

    async def ask(self, **fields: Any) -> tuple[int, Any]:
        """Status and answer of a search."""
        body = {"experiment_ids": [self.experiment_id], **fields}
        reply = await self.client.ask("POST", "/api/2.0/mlflow/logged-models/search", body)
        return reply.status, msgspec.json.decode(reply.body)

    async def found(self, **fields: Any) -> str:
        """The numbers of the models that a search finds, in their order: "5 4 3"."""
        status, answer = await self.ask(**fields)
        assert status == 200, answer
        return " ".join(each["info"]["name"][1:] for each in answer.get("models", ()))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def models(tracking: Client) -> Models:
    """The models, with points of `acc` on three of them, on datasets of their own on some."""
    client = tracking.of(new_tenant())
    run_id = await new_run(client)
    experiment_id = (await client.post("experiments/create", {"name": "e"}))["experiment_id"]
    ids = {}
    for number in range(6):
        body = {
            "experiment_id": experiment_id,
            "name": f"m{number}",
            "model_type": "sk" if number % 2 else "",
            "params": [{"key": "lr", "value": str(number)}],
            "tags": [{"key": "t", "value": "odd" if number % 2 else "even"}],
        }
        answer = await client.post("logged-models", body)
        ids[f"m{number}"] = answer["model"]["info"]["model_id"]
    for number, value in enumerate(VALUES):
        dataset = {"dataset_name": "d", "dataset_digest": f"g{number}"} if number < 3 else {}
        point = {"key": "acc", "value": value, "timestamp": 1000 + number, "step": number}
        model = {"model_id": ids[f"m{number}"]}
        await client.post("runs/log-metric", {"run_id": run_id, **point, **model, **dataset})
    early = {"key": "acc", "value": 0.9, "timestamp": 1, "step": 100, "model_id": ids["m0"]}
    await client.post("runs/log-metric", {"run_id": run_id, **early})
    return Models(client, experiment_id, ids)


FILTERS = {
    "": "5 4 3 2 1 0",
    "AND": "5 4 3 2 1 0",
    "name = 'm1'": "1",
    "name = m1": "1",
    # Double quotes belong to the text here, and here alone: MLflow strips single ones only.
    'name = "m1"': "",
    "name = 'm1' AND": "1",
    "attributes.name = 'm1'": "1",
    "name != 'm1'": "5 4 3 2 0",
    "name LIKE 'm%'": "5 4 3 2 1 0",
    "name like 'M%'": "",
    "name ILIKE 'M%'": "5 4 3 2 1 0",
    "name IN ('m1','m2')": "2 1",
    "name NOT IN ('m1','m2')": "5 4 3 0",
    "name in ('m1')": "1",
    "params.lr = '1'": "1",
    "params.lr = 1": "1",
    "params.`lr` = '1'": "1",
    "params.lr != '1'": "5 4 3 2 0",
    "params.none != '1'": "",
    "tags.t = 'odd'": "5 3 1",
    "tags.t ILIKE 'ODD'": "5 3 1",
    "tags.t IN ('odd')": "5 3 1",
    "tags.`a b` = 'x'": "",
    "tags.t = 'odd' AND params.lr = '3'": "3",
    "tags.t = 'odd' and metrics.acc > 0.3": "3 1",
    "metrics.acc > 0.3": "3 1 0",
    "metrics.acc >= 1e300": "3",
    "metrics.acc < 0.3": "4 0",
    "metrics.acc = 0.1 AND metrics.acc = 0.9": "0",
    "metrics.acc != 0.1": "4 3 2 1 0",
    "metrics.acc = nan": "",
    "metrics.acc != nan": "4 3 2 1 0",
    "metrics.none > 0": "",
    "creation_timestamp > 0": "5 4 3 2 1 0",
    "creation_timestamp_ms > 0.5": "5 4 3 2 1 0",
    "creation_time > 99999999999999999999999": "",
    "last_updated_timestamp < 5": "",
    "model_type = 'sk'": "5 3 1",
    "model_type != 'sk'": "4 2 0",
    "source_run_id != 'x'": "5 4 3 2 1 0",
    "status = '1'": "5 4 3 2 1 0",
    "status = 'PENDING'": "5 4 3 2 1 0",
    "status = 'LOGGED_MODEL_PENDING'": "5 4 3 2 1 0",
    "status = 'READY'": "",
    "status LIKE '%READY'": "",
    "status IN ('READY', 'FAILED')": "",
    "lifecycle_stage = 'active'": "5 4 3 2 1 0",
    "experiment_id = '0'": "",
    "artifact_location LIKE 'mlflow-artifacts:/%'": "5 4 3 2 1 0",
    "model_id = 'x'": "",
    "model_id LIKE 'm-%'": "5 4 3 2 1 0",
}


@pytest.mark.parametrize(("text", "expected"), FILTERS.items(), ids=FILTERS.keys())
async def test_filters(models: Models, text: str, expected: str) -> None:
    assert await models.found(filter=text) == expected


async def test_filter_by_id(models: Models) -> None:
    first, second = models.ids["m1"], models.ids["m4"]
    assert await models.found(filter=f"model_id = '{first}'") == "1"
    assert await models.found(filter=f"model_id IN ('{first}', '{second}', 'm-x')") == "4 1"
    assert await models.found(filter=f"model_id != '{first}'") == "5 4 3 2 0"


REFUSED = {
    "attribute.name='m1'": "Invalid entity type: 'attribute'.",
    "bogus.x = 'y'": "Invalid entity type: 'bogus'.",
    "bogus = 'x'": "Invalid attribute key: 'bogus'.",
    "params.lr > '1'": "Invalid comparison operator for params.lr: '>'.",
    "name > 'a'": "Invalid comparison operator for attributes.name: '>'.",
    "metrics.acc IN (0.1)": "Invalid comparison operator for metrics.acc: 'IN'.",
    "metrics.acc > 'x'": "Expected numeric value type for acc.",
    "creation_time > '0'": "Expected numeric value type for creation_timestamp_ms.",
    "name IS NULL": "Invalid comparison: nameIS NULL.",
    "name = 'm1' OR name='m2'": "Invalid filter string: \"name = 'm1' OR name='m2'\". Expected a list of",
    "name": "Invalid filter string: 'name'. Expected a list of",
    "name = ": "Invalid filter string: 'name = '. Expected a list of",
    "(name = 'm1')": "Invalid filter string: \"(name = 'm1')\". Expected a list of",
    "name = 'm1';": "Invalid filter string: \"name = 'm1';\". Expected a list of",
    "'m1' = name": "Invalid attribute key: \"'m1'\".",
    "metrics.acc between 0 and 1": "Invalid filter string: 'metrics.acc between 0 and 1'. Expected a",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=REFUSED.keys())
async def test_filters_that_are_refused(models: Models, text: str, message: str) -> None:
    status, answer = await models.ask(filter=text)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer["message"].startswith(message)


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ([{"field_name": "name"}], "0 1 2 3 4 5"),
        ([{"field_name": "name", "ascending": False}], "5 4 3 2 1 0"),
        ([{"field_name": "creation_time"}], "0 1 2 3 4 5"),
        ([{"field_name": "creation_timestamp_ms", "ascending": True}], "0 1 2 3 4 5"),
        ([{"field_name": "model_type"}], "4 2 0 5 3 1"),
        ([{"field_name": "status"}], "5 4 3 2 1 0"),
        ([{"field_name": "source_run_id"}], "5 4 3 2 1 0"),
        ([{"field_name": "status_message"}], "5 4 3 2 1 0"),
        ([{"field_name": "metrics.acc"}], "4 0 1 3 2 5"),
        ([{"field_name": "metrics.acc", "ascending": False}], "3 1 0 4 2 5"),
        ([{"field_name": "metrics.acc", "dataset_name": "d"}], "0 1 2 5 4 3"),
        (
            [{"field_name": "metrics.acc", "dataset_name": "d", "dataset_digest": "g1"}],
            "1 5 4 3 2 0",
        ),
        ([{"field_name": "metrics.none"}], "5 4 3 2 1 0"),
        ([{"field_name": "model_type"}, {"field_name": "name"}], "0 2 4 1 3 5"),
        ([{"field_name": "name", "ascending": True}, {"field_name": "name"}], "0 1 2 3 4 5"),
    ],
)
async def test_orders_whole_and_page_by_page(
    models: Models, orders: list[dict[str, Any]], expected: str
) -> None:
    assert await models.found(order_by=orders) == expected
    paged, token = [], None
    while token != "":
        page: dict[str, Any] = {"page_token": token} if token else {}
        status, answer = await models.ask(order_by=orders, max_results=2, **page)
        assert status == 200, answer
        paged += [each["info"]["name"][1:] for each in answer["models"]]
        token = answer.get("next_page_token", "")
    assert " ".join(paged) == expected


@pytest.mark.parametrize("field", ["bogus", "", "params.lr", "attributes.name", "artifact_uri"])
async def test_orders_that_are_refused(models: Models, field: str) -> None:
    status, answer = await models.ask(order_by=[{"field_name": field}])
    assert status == 400
    assert answer["message"].startswith(f"Invalid order by field name: {field}")


async def test_datasets(models: Models) -> None:
    name, one = {"dataset_name": "d"}, {"dataset_name": "d", "dataset_digest": "g1"}
    assert await models.found(datasets=[name]) == "2 1 0"
    assert await models.found(datasets=[one]) == "1"
    assert await models.found(datasets=[one, {"dataset_name": "e"}]) == "1"
    assert await models.found(datasets=[name], filter="metrics.acc > 0.3") == "1"
    for unnamed in ({}, {"dataset_digest": "g1"}):
        status, answer = await models.ask(datasets=[unnamed])
        assert (status, "`dataset_name`" in answer["message"]) == (400, True)


async def test_what_a_search_needs(models: Models) -> None:
    assert await models.found(experiment_ids=[]) == ""
    assert await models.found(experiment_ids=["999", models.experiment_id, "0"]) == "5 4 3 2 1 0"
    assert await models.found(max_results=0) == "5 4 3 2 1 0"
    assert await models.found(max_results=100_000) == "5 4 3 2 1 0"
    for fields in (
        {"experiment_ids": None},
        {"experiment_ids": ["abc"]},
        {"experiment_ids": "0"},
        {"datasets": "x"},
        {"order_by": "name"},
        {"max_results": -1},
        {"page_token": "bad"},
        {"page_token": "e30="},
    ):
        status, answer = await models.ask(**fields)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), fields


async def test_a_token_is_good_for_its_own_search_only(models: Models) -> None:
    token = (await models.ask(max_results=2))[1]["next_page_token"]
    assert await models.found(max_results=2, page_token=token) == "3 2"
    for other in (
        {"filter": "name = 'm1'"},
        {"order_by": [{"field_name": "name"}]},
        {"experiment_ids": ["0"]},
        {"datasets": [{"dataset_name": "d"}]},
    ):
        assert (await models.ask(page_token=token, **other))[0] == 400
