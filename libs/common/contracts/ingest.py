"""What producers outside the platform publish to `tracking.ingest.v1`: what happened in one run.

A message is one `RunLogged`, as JSON or, in the same shape, as MessagePack. Points stand in columns,
a metric each: that is as short as it is quick to read.
"""

from typing import Annotated, Final, Literal

import msgspec

from libs.common.contracts.topic import Topic

JSON_TYPE: Final = "application/json"
PACKED_TYPE: Final = "application/vnd.maestro.ingest.v1+msgpack"
# The pass that tracking gave, and what only its holder can write under a message.
PASS_HEADER: Final = "maestro-pass"  # noqa: S105 - the name of a header
SIGNATURE_HEADER: Final = "maestro-signature"
LARGEST_BODY: Final = 1_000_000
# The broker's user of all producers: each message proves besides whose it is.
PRODUCER: Final = "maestro-producer"

RunId = Annotated[
    str, msgspec.Meta(pattern="^[0-9a-f]{32}$", max_length=32, description="32 hex digits.")
]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Step = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
NotFinite = Literal["NaN", "Infinity", "-Infinity"]
Status = Literal["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points of one metric: `values`, `times` and `steps` are columns of one length.

    Times are milliseconds since 1970. Without `steps` each point is at step 0. Numbers that JSON
    cannot write are texts. `model_id`, or `dataset_name` with `dataset_digest`, say what the points
    were measured of.
    """

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=250)]
    values: list[float | NotFinite]
    times: list[Milliseconds]
    steps: list[Step] = []
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class RunStart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run is new, and this is how it starts; where it is there already, nothing happens."""

    experiment_id: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,10}$", max_length=10)]
    start_time: Milliseconds
    name: str = ""
    user_id: Annotated[str, msgspec.Meta(max_length=256)] = ""


class RunLogged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something happened in a run: it started, points, params and tags came, its status changed.

    At most 1,000 points, 100 params and 100 tags, and 1,000 of all together. The run's id is the
    producer's choice where it `create`s the run.
    """

    run_id: RunId
    create: RunStart | None = None
    metrics: list[Series] = []
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    status: Status | None = None
    end_time: Milliseconds | None = None


EXAMPLE: Final = RunLogged(
    run_id="0190a6b2c4d87e3f9a1b2c3d4e5f6071",
    create=RunStart(experiment_id="1", start_time=1767225600000, name="night-run"),
    metrics=[
        Series(
            key="loss",
            values=[0.93, 0.71, "NaN"],
            times=[1767225601000, 1767225602000, 1767225603000],
            steps=[1, 2, 3],
        )
    ],
    params={"learning_rate": "0.01"},
    tags={"team": "vision"},
)


def _run_key(fact: RunLogged) -> str:
    return fact.run_id


INGEST: Final = Topic(
    "tracking.ingest.v1",
    {"run-logged": RunLogged},
    _run_key,
    partitions=24,
    telemetry=True,
    external=True,
)
