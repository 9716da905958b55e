"""Recordings in Parquet, with `pyarrow`: trades and quotes as columns, whatever else as JSON."""

from __future__ import annotations

from typing import IO, Any

import orjson

__all__ = ["ROWS", "ParquetLines", "needs"]

ROWS = 65_536
"""Rows of a row group: what is kept in memory until it is written."""

_NUMBERS = ("price", "bid", "ask", "close")
_WHOLE = ("seq", "size", "bid_size", "ask_size", "merged", "volume")


def needs() -> str | None:
    """What has to be installed first; None if nothing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        return "Parquet needs pyarrow: pip install 'tickerplant[parquet]'"
    return None


class ParquetLines:
    """A file that is given lines of JSON and holds them as Parquet; complete when it is closed.

    A trade or quote is a row of the columns `type`, `symbol`, `seq`, `time` (UTC, microseconds),
    `price`, `size`, `bid`, `bid_size`, `ask`, `ask_size`, `merged`, `volume`, `close`, `exchange` and
    `conditions`, null where it has no such field. Any other object is a row whose column `object` has
    its text.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rows: list[dict[str, Any]] = []
        self._writer: Any = None
        self._schema: Any = None
        self._synthetic = False

    def write(self, data: bytes) -> int:
        """Take whole lines; give their length."""
        for line in data.splitlines():
            self._rows.append(self._row(line))
            if len(self._rows) >= ROWS:
                self._put()
        return len(data)

    def _row(self, line: bytes) -> dict[str, Any]:
        item: dict[str, Any] = orjson.loads(line)
        kind = item["type"]
        if kind in ("trade", "quote"):
            return item | {"time": round(item["time"] * 1000)}
        if kind == "hello":
            self._synthetic = self._synthetic or item.get("synthetic") is True
        return {"type": kind, "symbol": item.get("symbol"), "object": line.decode()}

    def flush(self) -> None:
        """Nothing: a row group is written when it is full."""

    def _put(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            name = pa.dictionary(pa.int32(), pa.string())
            fields = [("type", name), ("symbol", name), ("time", pa.timestamp("us", "UTC"))]
            fields += [(n, pa.float64()) for n in _NUMBERS] + [(n, pa.int64()) for n in _WHOLE]
            fields += [("exchange", name), ("conditions", pa.list_(pa.string()))]
            told = {"tickerplant.synthetic": "true" if self._synthetic else "false"}
            self._schema = pa.schema([*fields, ("object", pa.string())], metadata=told)
            self._writer = pq.ParquetWriter(self._file, self._schema, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()

    def close(self) -> None:
        """Write what is left, and the end of the file; the file itself stays open."""
        self._put()
        self._writer.close()
