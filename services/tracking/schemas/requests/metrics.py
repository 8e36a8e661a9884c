"""What clients send for histories of metrics."""

from typing import ClassVar

import msgspec

from libs.common.http.checks import (
    LIST,
    REQUIRED,
    TEXT,
    TEXTS,
    WHOLE,
    Schema,
    at_most_items,
    between,
)


class MetricHistory(msgspec.Struct):
    """metrics/get-history."""

    SCHEMA: ClassVar[Schema] = {
        "run_id": (TEXT, REQUIRED),
        "metric_key": (TEXT, REQUIRED),
        "page_token": (TEXT,),
    }

    run_id: str | None = None
    run_uuid: str | None = None
    metric_key: str | None = None
    page_token: str | None = None
    max_results: int | None = None


class MetricHistoryBulk(msgspec.Struct):
    """metrics/get-history-bulk; numbers stay as they were written."""

    run_id: list[str] = []
    metric_key: str | None = None
    max_results: str = "25000"


class MetricHistoryInterval(msgspec.Struct):
    """metrics/get-history-bulk-interval; numbers stay as they were written."""

    SCHEMA: ClassVar[Schema] = {
        "run_ids": (
            *(REQUIRED, LIST, TEXTS),
            at_most_items(
                100,
                "GetMetricHistoryBulkInterval request must specify at most 100 run_ids."
                " Received {count} run_ids.",
            ),
        ),
        "metric_key": (REQUIRED, TEXT),
        "start_step": (WHOLE,),
        "end_step": (WHOLE,),
        "max_results": (WHOLE, between(1, 2_500, "max_results must be between 1 and 2500.")),
    }

    run_ids: list[str] = []
    metric_key: str | None = None
    start_step: str | None = None
    end_step: str | None = None
    max_results: str = "2500"
