"""Files of archived points: what is written comes back metric by metric, from its own bytes alone."""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO

import pytest
from pyarrow import parquet

from services.tracking.archive.parquet import (
    GROUP_ROWS,
    SHARED_ROWS,
    Points,
    Rows,
    Writer,
    points_in,
    rows_in,
)


def written(metrics: dict[str, int], page: int = 16_384) -> tuple[Writer, bytes]:
    """A file with so many points of each metric, of which every tenth is of a model."""
    writer = Writer("run")
    content = b""
    for key, count in metrics.items():
        writer.begin(key)
        for first in range(0, count, page):
            steps = range(first, min(first + page, count))
            nothing = [None] * len(steps)
            models = ["m-1" if step % 10 == 9 else None for step in steps]
            values = [step / 3 for step in steps]
            writer.add(Rows(steps, [step * 2 for step in steps], values, models, nothing, nothing))
            content += writer.taken()
    writer.close()
    return writer, content + writer.taken()


def read(writer: Writer, content: bytes, key: str) -> Iterator[Points]:
    extent = writer.extents[key]
    footer = content[writer.footer_at :]
    held = content[extent.first : extent.end]
    return points_in(len(content), footer, extent.first, held, key)


def test_each_metric_is_read_from_its_own_bytes() -> None:
    metrics = {"a": 5, "b": SHARED_ROWS - 5, "c": GROUP_ROWS + 100, "d": 5000, "e": 1}
    writer, content = written(metrics)
    assert (writer.size, writer.rows) == (len(content), sum(metrics.values()))
    assert rows_in(len(content), content[writer.footer_at :]) == writer.rows
    for key, count in metrics.items():
        parts = list(read(writer, content, key))
        steps = [step for part in parts for step in part.steps]
        assert steps == [step for step in range(count) if step % 10 != 9]
        assert len(steps) == writer.extents[key].points
        assert [time for part in parts for time in part.times] == [step * 2 for step in steps]
        assert [value for part in parts for value in part.values] == [step / 3 for step in steps]
    table = parquet.read_table(BytesIO(content))
    assert table.column("key").to_pylist() == [k for k, n in metrics.items() for _ in range(n)]
    assert table.schema.metadata[b"maestro.run_id"] == b"run"


def test_small_metrics_share_row_groups_and_large_ones_do_not() -> None:
    writer, content = written({f"k{number:04}": 100 for number in range(100)})
    groups = parquet.ParquetFile(BytesIO(content)).metadata.num_row_groups
    assert groups == 100 // (SHARED_ROWS // 100 + 1) + 1
    writer, content = written({"a": SHARED_ROWS, "b": 3 * GROUP_ROWS, "c": 10})
    held = {key: (extent.first, extent.end) for key, extent in writer.extents.items()}
    assert held["a"][1] == held["b"][0]
    assert held["b"][1] == held["c"][0]
    assert max(len(part.steps) for part in read(writer, content, "b")) <= GROUP_ROWS


def test_changed_bytes_are_no_points() -> None:
    writer, content = written({"a": 5000})
    changed = bytearray(content)
    changed[writer.extents["a"].end // 2] ^= 1
    with pytest.raises(OSError, match=r"(?i)crc|checksum"):
        list(read(writer, bytes(changed), "a"))


def test_a_service_that_starts_does_not_load_the_library() -> None:
    lines = "import sys, services.tracking.service; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", lines], check=False).returncode == 0
