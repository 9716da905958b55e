"""Recordings in Parquet: what a row holds, and when it is written."""

import io
import sys

import orjson
import pyarrow.parquet as pq
import pytest
from fake_feed import hello, quote, snapshot, trade

from clients.terminal import parquet as record_parquet
from clients.terminal.parquet import ParquetLines, needs


def lines(*items: object) -> bytes:
    return b"".join(orjson.dumps(item) + b"\n" for item in items)


def test_trades_and_quotes_are_columns_and_all_else_is_json() -> None:
    """Null where an event has no such field; the metadata say whether the market was invented."""
    file = io.BytesIO()
    parquet = ParquetLines(file)
    merged = trade("AAPL", 7) | {"merged": 2, "volume": 900}
    data = lines(hello(), snapshot("AAPL"), merged, quote("MSFT", 1))
    assert parquet.write(data) == len(data)
    parquet.flush()
    parquet.close()
    table = pq.read_table(io.BytesIO(file.getvalue()))
    assert table.schema.metadata == {b"tickerplant.synthetic": b"true"}
    first, second, third, fourth = table.to_pylist()
    assert [orjson.loads(row["object"]) for row in (first, second)] == [hello(), snapshot("AAPL")]
    assert (first["type"], second["symbol"], first["time"]) == ("hello", "AAPL", None)
    assert third["object"] is None
    assert (third["price"], third["size"]) == (merged["price"], merged["size"])
    assert (third["merged"], third["volume"], third["bid"]) == (2, 900, None)
    assert third["time"].timestamp() * 1000 == pytest.approx(merged["time"])
    assert (fourth["type"], fourth["symbol"], fourth["price"]) == ("quote", "MSFT", None)
    assert fourth["ask_size"] == quote("MSFT", 1)["ask_size"]


def test_rows_are_written_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a long recording takes no more memory than a short one."""
    monkeypatch.setattr(record_parquet, "ROWS", 3)
    file = io.BytesIO()
    parquet = ParquetLines(file)
    parquet.write(lines(*(trade("AAPL", seq) for seq in range(1, 6))))
    assert file.tell() > 4
    parquet.close()
    written = pq.ParquetFile(io.BytesIO(file.getvalue()))
    assert [written.metadata.row_group(n).num_rows for n in range(2)] == [3, 2]
    assert written.read().column("seq").to_pylist() == [1, 2, 3, 4, 5]


def test_a_recording_without_events_is_a_file_too() -> None:
    file = io.BytesIO()
    ParquetLines(file).close()
    assert pq.read_table(io.BytesIO(file.getvalue())).num_rows == 0


def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert needs() is None
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert needs() == "Parquet needs pyarrow: pip install 'tickerplant[parquet]'"
