"""The bench's requests are whole HTTP requests that say what the operation means."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from tests.load.blend import Blend
from tests.load.content import Corpus
from tests.load.operations import BATCH, HISTORY_POINTS, OPERATIONS, SAMPLES, Site

CORPUS = Corpus.of(40)
SITE = Site(
    "127.0.0.1",
    8765,
    "mst_token",
    metric_runs=["a" * 32, "b" * 32],
    batch_runs=["c" * 32],
    corpus_runs=[f"{number:032x}" for number in range(40)],
    history_run="d" * 32,
    tenants=[("mst_one", "e" * 32), ("mst_other", "f" * 32)],
    experiments={"create": "3", "corpus": "4"},
)


def parsed(request: bytes) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers by lower-case name, body."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return first, {name.lower(): value for name, value in pairs}, body


@pytest.mark.parametrize("operation", OPERATIONS)
def test_lengths_and_credentials_are_right(operation: str) -> None:
    workload = OPERATIONS[operation](SITE, CORPUS)
    for _ in range(3):
        first, headers, body = parsed(workload.request()[0])
        assert first.endswith(" HTTP/1.1")
        assert headers["host"] == "127.0.0.1:8765"
        assert headers["authorization"] in {
            "Bearer mst_token",
            "Bearer mst_one",
            "Bearer mst_other",
        }
        assert int(headers.get("content-length", "0")) == len(body)


def test_every_point_has_a_step_of_its_own() -> None:
    for operation, size in (("log-metric", 1), ("log-batch", BATCH)):
        workload = OPERATIONS[operation](SITE, CORPUS)
        points = []
        for _ in range(5):
            body = json.loads(parsed(workload.request()[0])[2])
            metrics = body.get("metrics", [body])
            points += [(body["run_id"], metric["key"], metric["step"]) for metric in metrics]
        assert len(set(points)) == len(points) == 5 * size


def test_runs_have_names_of_their_own_and_answers_must_repeat_them() -> None:
    workload = OPERATIONS["create-run"](SITE, CORPUS)
    (request, known), (other, _) = workload.request(), workload.request()
    name = json.loads(parsed(request)[2])["run_name"]
    assert name != json.loads(parsed(other)[2])["run_name"]
    answer = json.dumps({"run": {"info": {"run_id": "1", "run_name": name, "status": "RUNNING"}}})
    assert workload.right(known, answer.encode())
    assert not workload.right(known, answer.replace(name, "run 1").encode())


def test_every_tenant_logs_into_its_own_run_with_its_own_token() -> None:
    workload = OPERATIONS["log-metric-64-tenants"](SITE, CORPUS)
    told = set()
    for _ in range(4):
        _, headers, body = parsed(workload.request()[0])
        told.add((headers["authorization"], json.loads(body)["run_id"][0]))
    assert told == {("Bearer mst_one", "e"), ("Bearer mst_other", "f")}


def test_every_tenth_request_for_a_run_writes_and_is_counted_when_it_is_taken() -> None:
    workload = OPERATIONS["get-run"](SITE, CORPUS)
    asked = [workload.request() for _ in range(100)]
    writes = [request for request, known in asked if known is None]
    assert len(writes) == 10
    assert all(json.loads(parsed(request)[2])["key"] == "m0" for request in writes)
    before = SITE.written["get-run"]
    assert workload.right(None, b"{}")
    assert not workload.right(None, b'{"error_code": "NOPE"}')
    assert SITE.written["get-run"] == before + 1


def test_a_history_must_have_about_as_many_points_and_the_last() -> None:
    workload = OPERATIONS["get-history"](SITE, CORPUS)
    request, known = workload.request()
    assert f"max_results={SAMPLES}" in parsed(request)[0]
    steps = [*range(0, HISTORY_POINTS, HISTORY_POINTS // SAMPLES), HISTORY_POINTS - 1]
    points = [{"step": step} for step in steps]
    assert workload.right(known, json.dumps(points).encode())
    assert not workload.right(known, json.dumps(points[:-1]).encode())
    assert not workload.right(known, json.dumps(points[-1500:]).encode())


def test_the_mixed_load_has_its_shares() -> None:
    site = replace(SITE, experiments={**SITE.experiments, "metric": "1", "batch": "2"})
    blend = Blend(site, CORPUS)
    names = Counter(blend.request()[1][0] for _ in range(200))
    assert names == {
        "log-metric": 120,
        "log-batch": 20,
        "get-run": 30,
        "search-runs": 10,
        "create-run": 10,
        "other": 10,
    }


def test_a_run_must_come_whole() -> None:
    workload = OPERATIONS["get-run"](SITE, CORPUS)
    _, known = workload.request()
    pairs = [{"key": str(number)} for number in range(50)]
    assert workload.right(known, json.dumps([known.decode(), pairs]).encode())
    assert not workload.right(known, json.dumps([known.decode(), pairs[1:]]).encode())


def test_a_search_must_give_its_best_hit_first() -> None:
    workload = OPERATIONS["search-runs"](SITE, CORPUS)
    seen = 0
    for _ in range(30):
        request, known = workload.request()
        _, bound, value = known
        body = json.loads(parsed(request)[2])
        assert body["filter"] == f"metrics.m1 > {bound} and params.p1 = '{value}'"
        hits = [r for r in CORPUS.runs if r.metrics[1] > bound and r.params[1] == value]
        hits.sort(key=lambda run: run.metrics[2], reverse=True)
        pairs = [{"key": str(number)} for number in range(50)]
        answer = [{"run_id": "1", "run_name": run.name, "data": pairs} for run in hits]
        assert workload.right(known, json.dumps(answer).encode())
        if len(hits) > 1:
            seen += 1
            assert not workload.right(known, json.dumps(answer[1:]).encode())
    assert seen > 5
