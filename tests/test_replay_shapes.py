"""Files as others write them: without headers, with times in two columns, with prices in whole ten-thousandths."""

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tapes import NOON_US, replay_of, rows_of, write

from feeds.errors import ConfigError
from ticker.batch import TRADES
from ticker.tape import TapeError

ISO = "2023-11-15T12:00:00"
CSV = "time,symbol,price,size\n"


@pytest.mark.parametrize("name", ["a.csv", "a.ndjson", "a.parquet"])
def test_a_price_in_whole_ten_thousandths_keeps_its_cents(tmp_path: Path, name: str) -> None:
    """A scale that is a power of ten moves the grid along, and is exact; that is how LOBSTER and Databento have prices."""
    path, prices = tmp_path / name, [5_853_300, 5_853_200, 5_850_000]
    times = [NOON_US * 1000, NOON_US * 1000 + 1000, NOON_US * 1000 + 2000]
    if name == "a.parquet":
        pq.write_table(pa.table({"time": times, "symbol": ["A"] * 3, "price": prices}), path)
    elif name == "a.csv":
        write(
            path,
            "time,symbol,price\n"
            + "".join(f"{t},A,{p}\n" for t, p in zip(times, prices, strict=True)),
        )
    else:
        lines = (
            f'{{"time":{t},"symbol":"A","price":{p},"size":1}}\n'
            for t, p in zip(times, prices, strict=True)
        )
        write(path, "".join(lines))
    played = replay_of(path, scale=1e-4)
    batch = played.step(NOON_US + 1_000_000)
    batch = batch[batch.channel == TRADES]
    assert played.universe.instruments[0].tick_size == 0.01
    assert played.universe.prices(batch.symbol, batch.price).tolist() == [585.33, 585.32, 585.0]


def test_prices_in_billionths_may_be_as_large_as_scaled_ones_may(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", f"time,symbol,price\n{ISO},A,190250000000\n{ISO},A,1500000000000\n"
    )
    played = replay_of(path, scale=1e-9)
    batch = played.step(NOON_US + 1)
    assert played.universe.prices(batch.symbol, batch.price)[batch.channel == TRADES].tolist() == [
        190.25,
        1500.0,
    ]
    with pytest.raises(
        ConfigError, match=r"line 2: price '190250000000', times 0.1, is not between 0 and 1e"
    ):
        replay_of(path, scale=0.1)


def test_small_prices_are_scaled_before_they_are_rounded(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", f"time,symbol,price\n{ISO},A,0.000000123\n{ISO},A,0.000000124\n"
    )
    played = replay_of(path, scale=1e6)
    batch = played.step(NOON_US + 1)
    assert played.universe.prices(batch.symbol, batch.price)[batch.channel == TRADES].tolist() == [
        0.123,
        0.124,
    ]


def test_a_file_without_a_header_has_numbers_for_columns(tmp_path: Path) -> None:
    """The first line counts; with times in seconds since midnight, as LOBSTER has them, too."""
    path = write(
        tmp_path / "a.csv",
        f"{NOON_US / 1e6},1,17,18,100.5,-1\n\n{NOON_US / 1e6 + 1},1,17,5,101,1\n",
    )
    assert rows_of(path, "time=#1,price=#5,size=#4") == [
        ("A", "trade", 0, 100.5, 18),
        ("A", "trade", 1_000_000, 101.0, 5),
    ]
    write(path, f"{NOON_US},A,2\n{NOON_US},A\n")
    with pytest.raises(TapeError, match=r"line 2 has 2 values, and the first line 3"):
        rows_of(path, "time=#1,symbol=#2,price=#3")
    with pytest.raises(
        TapeError,
        match=r"no column '#4', which price was mapped to; its columns are '#1', '#2', '#3'",
    ):
        rows_of(path, "time=#1,price=#4")
    with pytest.raises(TapeError, match=r"if it has no header, map numbers: time=#1,price=#2"):
        rows_of(path)


def test_a_time_may_be_in_two_columns(tmp_path: Path) -> None:
    """As in TAQ, where hours have no leading zero; a column whose own name has a plus is itself."""
    path = write(
        tmp_path / "a.csv", "DATE,TIME_M,price\n20231115,9:30:00.25,2\n2023-11-15,12:00:00,3\n"
    )
    assert [row[2] for row in rows_of(path, "time=DATE+TIME_M")] == [-8_999_750_000, 0]
    write(path, f"DATE+TIME_M,price\n{ISO},2\n")
    assert [row[2] for row in rows_of(path, "time=DATE+TIME_M")] == [0]
    write(path, "DATE,price\n20231115,2\n")
    with pytest.raises(TapeError, match="no column 'TIME_M', which time was mapped to"):
        rows_of(path, "time=DATE+TIME_M")
    pq.write_table(
        pa.table({"d": ["2023-11-15"], "t": ["12:00"], "price": [2.0]}), tmp_path / "a.parquet"
    )
    with pytest.raises(TapeError, match="a time in two columns is for CSV only"):
        rows_of(tmp_path / "a.parquet", "time=d+t")


def test_empty_lines_of_a_csv_are_passed_over(tmp_path: Path) -> None:
    """Lines after them keep their numbers."""
    path = write(tmp_path / "a.csv", f"{CSV}\n{ISO},A,2,1\n\n\n{ISO},A,3,1\n\n")
    assert [row[3] for row in rows_of(path)] == [2.0, 3.0]
    write(path, f"{CSV}\n\n{ISO},A,2,0\n")
    with pytest.raises(TapeError, match="line 4: size '0'"):
        rows_of(path)


def test_what_is_left_out_brings_no_symbol_along(tmp_path: Path) -> None:
    """A symbol of which only one-sided quotes are on the tape has no price to begin with."""
    path = write(tmp_path / "a.csv", f"time,symbol,bid,ask\n{ISO},B,,3\n{ISO},A,2,3\n{ISO},B,2,\n")
    assert replay_of(path).universe.symbols == ("A",)


@pytest.mark.parametrize("names", ["Symbol", "ticker", "SYM_ROOT"])
def test_symbols_under_another_name_are_not_thrown_together(tmp_path: Path, names: str) -> None:
    path = write(tmp_path / "a.csv", f"time,{names},price\n{ISO},X,2\n{ISO},Y,3\n")
    with pytest.raises(
        TapeError, match=f"there is no column 'symbol', but '{names}': map symbol={names}"
    ):
        rows_of(path)
    assert [row[0] for row in rows_of(path, f"symbol={names}")] == ["X", "Y"]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_sizes_under_another_name_are_told_of(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.csv", f"time,symbol,price,qty\n{ISO},X,2,7\n")
    if suffix == "parquet":
        path = tmp_path / "a.parquet"
        pq.write_table(pa.table({"time": [ISO], "symbol": ["X"], "price": [2.0], "qty": [7]}), path)
    with caplog.at_level(logging.WARNING):
        replay_of(path)
    assert f"{path}: left out 1 column 'qty'; where it has sizes, map size=qty" in caplog.text
    caplog.clear()
    replay_of(path, "size=qty")
    assert not caplog.text
