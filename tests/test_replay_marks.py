"""What tapes say of a trade's exchange and conditions, in each format, and what is said of values that there aren't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tapes import market_tape, write

from clients.terminal.parquet import ParquetLines
from feeds.errors import ConfigError
from feeds.replay import ColumnMap, ReplayOptions
from ticker.market import Market
from ticker.reference.marks import marked
from ticker.universe import Universe

NOON = "2023-11-15T12:00:00"
MAPPED = "exchange=exchange,conditions=conditions"


def trades(path: Path, columns: str = "") -> list[Any]:
    """Size, exchange and conditions of each trade as it is played."""
    prepared = ReplayOptions(path, ColumnMap.parse(columns)).prepare()
    played = prepared.replay(prepared.survey.start_us, 0)
    batch = played.step(played.now_us + 3_600_000_000)
    batch = batch[batch.channel == 0]
    pairs = zip(batch.size.tolist(), batch.ask.tolist(), strict=True)
    return [(size, *marked(mark)) for size, mark in pairs]


def test_a_csv_says_what_is_special_about_a_trade(tmp_path: Path) -> None:
    """As vendors write it: codes in one text, ``@`` for a regular sale; an odd lot then moves no last price."""
    text = f"""time,symbol,price,size,x,c,bid,ask
{NOON},A,10,100,V,@FTI,,
{NOON},A,11,101,,,,
{NOON},A,12,102,Q,"F,I",,
{NOON},A,,,nowhere,R!,9,13
{NOON},A,13,103,D,@,,
"""
    path = write(tmp_path / "a.csv", text)
    assert trades(path, "exchange=x,conditions=c") == [
        (100, "V", ("F", "I", "T")),
        (101, None, ()),
        (102, "Q", ("F", "I")),
        (103, "D", ()),
    ]
    assert trades(path, "conditions=c")[0] == (100, None, ("F", "I", "T"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_others_names_mean_something_else(tmp_path: Path, suffix: str) -> None:
    """So columns that happen to be called ``exchange`` or ``conditions`` count only where they are mapped."""
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        write(path, f"time,symbol,price,exchange,conditions\n{NOON},A,10,NASDAQ,37\n")
    else:
        columns = {"time": [NOON], "symbol": ["A"], "price": [10.0], "exchange": [11]}
        pq.write_table(pa.table(columns | {"conditions": [[14, 37]]}), path)
    assert trades(path) == [(1, None, ())]
    exchange = "'NASDAQ'" if suffix == "csv" else "11"
    with pytest.raises(
        ConfigError, match=rf"(line 2|row 1): exchange {exchange} is not one of A, B"
    ):
        trades(path, MAPPED)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (["I", "37"], "row 1: condition '37' is not one of A, C, F"),
        ([14], "row 1: condition 14 is not one of A, C, F"),
        (14, "row 1: conditions 14 is neither a text nor a list of codes"),
    ],
)
def test_wrong_conditions_are_named_by_their_row(
    tmp_path: Path, conditions: Any, message: str
) -> None:
    path = tmp_path / "a.parquet"
    columns = {"time": [NOON], "symbol": ["A"], "price": [10.0], "conditions": [conditions]}
    pq.write_table(pa.table(columns), path)
    with pytest.raises(ConfigError, match=message):
        trades(path, "conditions=conditions")


def test_parquet_of_others_has_lists_or_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns: dict[str, Any] = {"time": [NOON] * 3, "symbol": ["A"] * 3, "price": [10.0, 11.0, None]}
    columns |= {"bid": [None, None, 9.0], "ask": [None, None, 11.0], "x": ["V", None, "?"]}
    pq.write_table(pa.table(columns | {"c": [["@", "T"], None, ["?"]]}), path)
    mapped = "exchange=x,conditions=c"
    assert trades(path, mapped) == [(1, "V", ("T",)), (1, None, ())]
    quoted = pa.table({name: columns[name][2:] for name in ("time", "symbol", "bid", "ask", "x")})
    pq.write_table(quoted, path)
    assert trades(path, "exchange=x") == []


def test_a_recording_in_parquet_is_played_as_one_in_lines(tmp_path: Path) -> None:
    """With exchanges and conditions, which need no map; one from before it had them plays too."""
    lines, parquet = tmp_path / "a.ndjson", tmp_path / "a.parquet"
    market_tape(Market(Universe.of_size(3), seed=7, rules="us"), 60, lines)
    merged = '{"type":"trade","symbol":"AAPL","seq":99,"time":4e12,"price":9,"size":1,"merged":2,'
    with lines.open("a") as file:
        file.write(merged + '"volume":7,"close":8,"exchange":"V","conditions":["I"]}\n')
    with parquet.open("wb") as out:
        recording = ParquetLines(out)
        recording.write(b'{"type":"hello","synthetic":true}\n' + lines.read_bytes())
        recording.close()
    played = trades(lines)
    assert trades(parquet) == played
    assert {codes for _, _, codes in played} > {(), ("I",), ("F",)}
    table = pq.read_table(parquet)
    older = table.drop_columns(["exchange", "conditions", "close"])
    pq.write_table(older.replace_schema_metadata(table.schema.metadata), parquet)
    assert trades(parquet) == [(size, None, ()) for size, *_ in played]


def test_lines_may_call_them_otherwise(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.ndjson",
        f'{{"time":"{NOON}","symbol":"A","price":9,"size":1,"x":"V","c":["I"]}}\n',
    )
    assert trades(path, "exchange=x,conditions=c") == [(1, "V", ("I",))]
