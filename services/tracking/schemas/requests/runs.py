"""What clients send of runs."""

from typing import ClassVar

import msgspec

from libs.common.http.checks import (
    INTEGER,
    LIST,
    REQUIRED,
    TEXT,
    TEXTS,
    Schema,
    at_most,
)
from libs.common.http.reading import Choice
from services.tracking.schemas.requests.parts import Pair, View


class Status(Choice):
    """The states of a run."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class CreateRun(msgspec.Struct):
    """runs/create."""

    SCHEMA: ClassVar[Schema] = {
        "experiment_id": (TEXT,),
        "start_time": (INTEGER,),
        "run_name": (TEXT,),
    }

    experiment_id: str | None = None
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: list[Pair] = []


class RunId(msgspec.Struct):
    """runs/get, delete and restore; `run_uuid` is the name of old clients."""

    SCHEMA: ClassVar[Schema] = {"run_id": (REQUIRED, TEXT)}

    run_id: str | None = None
    run_uuid: str | None = None


class UpdateRun(msgspec.Struct):
    """runs/update."""

    SCHEMA: ClassVar[Schema] = {
        "run_id": (REQUIRED, TEXT),
        "end_time": (INTEGER,),
        "status": (TEXT,),
        "run_name": (TEXT,),
    }

    run_id: str | None = None
    run_uuid: str | None = None
    status: Status | None = None
    end_time: int | None = None
    run_name: str | None = None


class SearchRuns(msgspec.Struct):
    """runs/search."""

    SCHEMA: ClassVar[Schema] = {
        "experiment_ids": (LIST,),
        "filter": (TEXT,),
        "max_results": (INTEGER, at_most(50_000)),
        "order_by": (LIST, TEXTS),
    }

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: View | None = None
    max_results: int = 1000
    order_by: list[str] = []
    page_token: str | None = None
