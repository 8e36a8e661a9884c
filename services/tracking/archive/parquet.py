"""A run's points as Parquet: written piece by piece as they come, read one metric at a time.

pyarrow is imported when the first file is written or read, not before: most processes never need it,
and it takes as much memory as the rest of a service. All of this blocks, and belongs into a thread.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

# As many rows are kept in memory while a file is written or read.
GROUP_ROWS: Final = 65_536
# Metrics that are smaller share a row group, so that a thousand of them do not need a thousand.
SHARED_ROWS: Final = 4_096
COMPRESSION: Final = "zstd"
_TEXTS: Final = ("key", "model_id", "dataset_name", "dataset_digest")
_CONTEXT: Final = _TEXTS[1:]
_NUMBERS: Final = ("step", "time", "value")


class Rows(NamedTuple):
    """Points of one metric in order, as columns; the last three are what a point may be of."""

    steps: Sequence[int]
    times: Sequence[int]
    values: Sequence[float]
    models: Sequence[str | None]
    names: Sequence[str | None]
    digests: Sequence[str | None]


class Points(NamedTuple):
    """Points of one metric in order, as columns."""

    steps: list[int]
    times: list[int]
    values: list[float]


@dataclass(slots=True)
class Extent:
    """Which bytes of a file hold a metric, and how many points of it that are of nothing."""

    first: int
    end: int = 0
    points: int = 0


@dataclass(slots=True)
class _Sink:
    """Where pyarrow writes: what is there is taken away again and again."""

    position: int = 0
    pieces: list[bytes] = field(default_factory=list)
    closed: bool = False

    def write(self, piece: Any) -> int:
        self.pieces.append(bytes(piece))
        self.position += len(self.pieces[-1])
        return len(self.pieces[-1])

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        return

    def close(self) -> None:
        self.closed = True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


class Writer:
    """Writes one file; what it has written is taken from it with `taken`.

    A row group holds one metric of `GROUP_ROWS` points at most, or several that are small.
    """

    def __init__(self, run_id: str) -> None:
        from pyarrow import parquet  # noqa: PLC0415 - see above

        self.extents: dict[str, Extent] = {}
        self.rows = 0
        self.footer_at = 0
        self._sink = _Sink()
        self._key = ""
        self._pending: dict[str, list[Any]] = {name: [] for name in _schema().names}
        self._keys: set[str] = set()
        self._file = parquet.ParquetWriter(
            self._sink,
            _schema().with_metadata({"maestro.run_id": run_id}),
            compression=COMPRESSION,
            use_dictionary=list(_TEXTS),
            column_encoding={
                "step": "DELTA_BINARY_PACKED",
                "time": "DELTA_BINARY_PACKED",
                "value": "BYTE_STREAM_SPLIT",
            },
            write_page_checksum=True,
        )

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return self._sink.position

    def begin(self, key: str) -> None:
        """The next points are of this metric; metrics come in the order of their keys."""
        if self._waiting >= SHARED_ROWS:
            self._flush()
        self._key = key

    def add(self, rows: Rows) -> None:
        """Write points, or keep them for the next row group."""
        count = len(rows.steps)
        if count == 0:
            return
        if self._waiting + count > GROUP_ROWS:
            self._flush()
        columns = (rows.models, rows.names, rows.digests, rows.steps, rows.times, rows.values)
        for name, column in zip((*_CONTEXT, *_NUMBERS), columns, strict=True):
            self._pending[name].extend(column)
        self._pending["key"].extend([self._key] * count)
        self._keys.add(self._key)
        extent = self.extents.setdefault(self._key, Extent(self._sink.position))
        extent.points += sum(
            model is name is digest is None
            for model, name, digest in zip(rows.models, rows.names, rows.digests, strict=True)
        )

    def close(self) -> None:
        """Write what is left, and the footer."""
        self._flush()
        self.footer_at = self._sink.position
        self._file.close()

    def taken(self) -> bytes:
        """What was written since it was last asked for."""
        pieces, self._sink.pieces = self._sink.pieces, []
        return b"".join(pieces)

    @property
    def _waiting(self) -> int:
        return len(self._pending["key"])

    def _flush(self) -> None:
        import pyarrow as pa  # noqa: PLC0415

        if not self._waiting:
            return
        self._file.write_table(pa.table(self._pending, schema=_schema()), row_group_size=GROUP_ROWS)
        for key in self._keys:
            self.extents[key].end = self._sink.position
        self.rows += self._waiting
        self._keys.clear()
        for column in self._pending.values():
            column.clear()


def rows_in(size: int, footer: bytes) -> int:
    """How many rows a file of `size` bytes has by its footer."""
    return int(_opened(size, [(size - len(footer), footer)]).metadata.num_rows)


def points_in(size: int, footer: bytes, first: int, held: bytes, key: str) -> Iterator[Points]:
    """A metric's points that are of nothing, a row group at a time.

    `held` are the bytes from `first` on of a file of `size`, whose last ones are `footer`. Raises
    an error of pyarrow's, or ValueError, where they are not those of such a file.
    """
    file = _opened(size, [(first, held), (size - len(footer), footer)])
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        if not first <= _begins(group) < first + len(held):
            continue
        table = file.read_row_group(number, columns=[*_NUMBERS])
        columns = [table.column(name).to_pylist() for name in _NUMBERS]
        if not _is_of_one(group, key):
            columns = _narrowed(columns, file.read_row_group(number, columns=[*_TEXTS]), key)
        yield Points(*columns)


def _opened(size: int, pieces: Sequence[tuple[int, bytes]]) -> Any:
    """A file of which only some pieces are there; the others take no memory, and are never read."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    whole = bytearray(size)
    for at, piece in pieces:
        whole[at : at + len(piece)] = piece
    return parquet.ParquetFile(
        pa.BufferReader(pa.py_buffer(whole)), page_checksum_verification=True, pre_buffer=False
    )


def _begins(group: Any) -> int:
    columns = [group.column(place) for place in range(group.num_columns)]
    return min(int(c.dictionary_page_offset or c.data_page_offset) for c in columns)


def _is_of_one(group: Any, key: str) -> bool:
    """Whether all of a row group is of one metric and of nothing else."""
    told = {
        group.column(place).path_in_schema: group.column(place).statistics
        for place in range(group.num_columns)
    }
    keys = told["key"]
    if keys is None or not keys.has_min_max or not keys.min == keys.max == key:
        return False
    contexts = [told[name] for name in _CONTEXT]
    return all(c is not None and c.null_count == group.num_rows for c in contexts)


def _narrowed(columns: Sequence[list[Any]], texts: Any, key: str) -> list[list[Any]]:
    wanted = [
        found == key and model is name is digest is None
        for found, model, name, digest in zip(
            *(texts.column(column).to_pylist() for column in _TEXTS), strict=True
        )
    ]
    return [
        [value for value, is_wanted in zip(column, wanted, strict=True) if is_wanted]
        for column in columns
    ]


def _schema() -> Any:
    import pyarrow as pa  # noqa: PLC0415

    return pa.schema(
        [
            pa.field("key", pa.string(), nullable=False),
            pa.field("step", pa.int64(), nullable=False),
            pa.field("time", pa.int64(), nullable=False),
            pa.field("value", pa.float64(), nullable=False),
            *(pa.field(name, pa.string()) for name in _CONTEXT),
        ]
    )
