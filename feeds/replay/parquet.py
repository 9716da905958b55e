"""Tapes in Parquet, read batch by batch with ``pyarrow`` (an optional extra)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from feeds.errors import ConfigError
from feeds.replay.columns import Raw
from feeds.replay.lines import CHUNK_ROWS
from feeds.replay.mapping import MARKS, ColumnMap
from feeds.replay.marks import marks
from ticker.tape import TapeError

__all__ = ["ParquetFile"]

_SYNTHETIC = b"tickerplant.synthetic"
"""What the metadata of a recording of ours has, and no other file."""

_OURS = frozenset({"object", "volume", "close"})
"""The columns of such a recording that are no field of a tape."""


class ParquetFile:
    """
    A Parquet file.

    Args:
        path: which.
        columns: which column is what.
        left_out: where to count what is left out, by what it is.

    Raises:
        ConfigError: ``pyarrow`` is not installed.
        TapeError: it is no Parquet file.
    """

    place = "row"
    synthetic = False

    def __init__(self, path: Path, columns: ColumnMap, left_out: Counter[str]) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise ConfigError(
                f"to replay {str(path)!r}, Parquet needs pyarrow: pip install 'tickerplant[parquet]'"
            ) from None
        self._pa, self._open = pa, pq.ParquetFile
        path.stat()  # what isn't there is told as for other files
        self.path, self._columns, self._left_out = path, columns, left_out
        self._row, self._rows = 0, 1

    def done(self) -> float:
        """Tell how much of the file was read, from 0 to 1."""
        return min(1.0, self._row / max(1, self._rows))

    def chunks(self) -> Iterator[Raw]:
        """
        Read the file from its start.

        Raises:
            TapeError: it is no Parquet file, or a time or symbol is missing.
        """
        try:
            with self._open(self.path, memory_map=True, pre_buffer=False) as file:
                yield from self._read(file)
        except self._pa.ArrowException as error:
            raise TapeError(f"it can't be read as Parquet: {error}") from error

    def _read(self, file: Any) -> Iterator[Raw]:
        names = file.schema_arrow.names
        synthetic = (file.schema_arrow.metadata or {}).get(_SYNTHETIC)
        self.synthetic, ours = synthetic == b"true", synthetic is not None
        mapping = self._columns.among(names, ours=ours)
        if any(column not in names for column in mapping.values()):
            raise TapeError("a time in two columns is for CSV only")
        if unread := self._columns.unread(names):
            self._left_out[unread] += 1
        self._row, self._rows = 0, file.metadata.num_rows
        wanted = {*mapping.values(), *(_OURS.intersection(names) if ours else ())}
        for batch in file.iter_batches(CHUNK_ROWS, columns=sorted(wanted), use_threads=False):
            where: Sequence[int] = range(self._row + 1, self._row + 1 + len(batch))
            self._row += len(batch)
            if ours:
                batch, where = self._events(batch, where)
            if not len(batch):
                continue
            columns: dict[str, Any] = {}
            for field, column in mapping.items():
                values = batch.column(column)
                if field in ("time", "symbol"):
                    self._refuse_nulls(values, column, where)
                columns[field] = self._values(field, values)
            if told := {name: columns.pop(name) for name in MARKS if name in columns}:
                price = columns.get("price", [None] * len(batch))
                columns["mark"] = marks(told, price, self.place, where)
            yield Raw(where, columns)

    def _events(self, batch: Any, where: Sequence[int]) -> tuple[Any, Sequence[int]]:
        """
        Give the rows of a recording of ours that are trades and quotes.

        A merged trade has the shares of all and, where it has one, their close, and then no conditions.
        """
        import pyarrow.compute as pc

        event = batch.column("object").is_null()
        where = [row for row, good in zip(where, event.to_pylist(), strict=True) if good]
        batch = batch.filter(event)
        put = {"size": pc.coalesce(batch.column("volume"), batch.column("size"))}
        if "close" in batch.schema.names:  # which older recordings lack
            close, codes = batch.column("close"), batch.column("conditions")
            put["price"] = pc.coalesce(close, batch.column("price"))
            put["conditions"] = pc.if_else(
                close.is_null(), codes, self._pa.scalar(None, codes.type)
            )
        for name, values in put.items():
            batch = batch.set_column(batch.schema.get_field_index(name), name, values)
        return batch, where

    def _refuse_nulls(self, values: Any, column: str, where: Sequence[int]) -> None:
        if values.null_count:
            row = where[values.is_null().to_pylist().index(True)]
            raise TapeError(f"row {row}: there is no {column!r}")

    def _values(self, field: str, values: Any) -> Any:
        pa = self._pa
        if field == "symbol":
            return values.cast(pa.string()).to_pylist()
        if field in MARKS:
            return values.to_pylist()
        if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
            in_us = values.cast(pa.timestamp("us", getattr(values.type, "tz", None)), safe=False)
            return in_us.cast(pa.int64()).to_numpy(zero_copy_only=False)
        if any(
            kind(values.type)
            for kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_boolean)
        ):
            return values.to_pylist()  # to be converted, or refused, one by one
        return (
            values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
        )
