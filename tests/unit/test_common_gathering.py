"""Metrics of several processes as one page, which Prometheus' own parser reads."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from libs.common.telemetry.gathering import joined


def page(count: int) -> bytes:
    """The metrics of one process, with labels that are hard to read."""
    registry = CollectorRegistry()
    asked = Counter("asked", "Asked { or # not.", ("what",), registry=registry)
    asked.labels('a "b" {c} \n d').inc(count)
    Counter("bare", "Without labels.", registry=registry).inc(2 * count)
    Histogram("seconds", "Times.", buckets=(1, 2), registry=registry).observe(1.5)
    return generate_latest(registry)


def test_samples_are_told_apart_by_their_process_and_stand_with_their_family() -> None:
    text = joined({0: page(1), 1: page(5)})
    samples = {
        (
            sample.name,
            sample.labels["process"],
            sample.labels.get("what"),
            sample.labels.get("le"),
        ): (sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    strange = 'a "b" {c} \n d'
    assert samples["asked_total", "0", strange, None] == 1
    assert samples["asked_total", "1", strange, None] == 5
    assert samples["bare_total", "1", None, None] == 10
    assert samples["seconds_bucket", "0", None, "2.0"] == 1
    heads = [line for line in text.splitlines() if line.startswith("# HELP")]
    assert len(heads) == len(set(heads))
