"""Files as tapes: formats, columns with other names, and what is said of files that can't be played."""

import gzip
import logging
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from tapes import NOON_US, market_tape, replay_of, rows_of, write

from feeds.errors import ConfigError
from feeds.replay import ColumnMap, ReplayOptions
from ticker.batch import TRADES
from ticker.market import Market
from ticker.reference.marks import marked
from ticker.universe import Universe

ISO = "2023-11-15T12:00:00"


@pytest.mark.parametrize("rules", ["open", "us"])
def test_a_recorded_market_is_played_as_it_was(tmp_path: Path, rules: str) -> None:
    """Every trade and quote of it, at its time, price and size, with its conditions; symbols may have other places."""
    market = Market(Universe.of_size(5), seed=7, rules=rules)
    given = market_tape(market, 20, tmp_path / "tape.ndjson")
    played = replay_of(tmp_path / "tape.ndjson")
    batch = played.step(market.now_us)
    batch = batch[batch.channel < 2]
    assert played.synthetic
    names = np.array(market.universe.symbols)
    assert (np.array(played.universe.symbols)[batch.symbol] == names[given.symbol]).all()
    for name in ("channel", "seq", "time", "size", "ask_size"):
        assert (getattr(batch, name) == getattr(given, name)).all(), name
    trade = batch.channel == TRADES
    assert (batch.ask[trade] == given.ask[trade]).all()
    assert bool(given.ask[trade].any()) == (rules == "us")
    for name, rows_ in (("price", slice(None)), ("ask", ~trade)):
        ours, theirs = batch[rows_], given[rows_]
        shown = played.universe.prices(ours.symbol, getattr(ours, name))
        assert (shown == market.universe.prices(theirs.symbol, getattr(theirs, name))).all()


def test_a_trade_that_stands_for_several_has_their_close_and_their_shares(tmp_path: Path) -> None:
    """One of which none moves the last price keeps its conditions."""
    common = '"type":"trade","symbol":"A","size":5,"merged":2,"volume":300'
    lines = [
        f'{{"time":{NOON_US / 1000},{common},"price":9,"close":7,"exchange":"V","conditions":["I"]}}',
        f'{{"time":{NOON_US / 1000},{common},"price":9,"close":null,"conditions":["I"]}}',
        f'{{"time":{NOON_US / 1000},{common},"price":9}}',
    ]
    played = replay_of(write(tmp_path / "a.ndjson", "\n".join(lines)))
    batch = played.step(NOON_US + 1)
    told = zip(
        batch.price.tolist(), batch.size.tolist(), map(marked, batch.ask.tolist()), strict=True
    )
    one = batch.price.tolist()[1] // 9
    assert [*told] == [
        (7 * one, 300, ("V", ())),
        (9 * one, 300, (None, ("I",))),
        (9 * one, 300, (None, ())),
    ]


CSV = f"""time,symbol,price,size
{ISO},AAPL,187.43,100
{ISO}.25,MSFT,410.5,7
{ISO}.250001,AAPL,187.44,1
"""
EXPECTED = [
    ("AAPL", "trade", 0, 187.43, 100),
    ("MSFT", "trade", 250_000, 410.5, 7),
    ("AAPL", "trade", 250_001, 187.44, 1),
]


def test_csv_with_a_header_is_a_tape(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path / "a.csv", CSV)) == EXPECTED


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_separators_are_found_in_the_header(tmp_path: Path, separator: str) -> None:
    assert rows_of(write(tmp_path / "a.tsv", CSV.replace(",", separator))) == EXPECTED


def test_gzip_is_read_as_it_comes(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf" + CSV.encode()))
    assert rows_of(tmp_path / "a.csv.gz") == EXPECTED


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    """Those that aren't mapped are found by the field's own name; other columns don't matter."""
    text = CSV.replace("time", "ts").replace("symbol", "sym").replace("price", "exchange,px")
    text = text.replace(",187", ",N,187").replace(",410", ",Q,410")
    path = write(tmp_path / "a.csv", text)
    assert rows_of(path, "time=ts, symbol=sym,price=px") == EXPECTED


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_the_unit_of_times_is_told_by_their_size(tmp_path: Path, unit: str) -> None:
    """Seconds, milliseconds, microseconds and nanoseconds since 1970, with or without a fraction."""
    factor = {"s": 1e-6, "ms": 1e-3, "us": 1, "ns": 1e3}[unit]
    lines = [f"{(NOON_US + t) * factor:.6f},A,{t + 1}" for t in (0, 250_000, 250_001)]
    path = write(tmp_path / "a.csv", "\n".join(["time,symbol,price", *lines]))
    assert [row[2] for row in rows_of(path)] == [0, 250_000, 250_001]


def test_times_may_have_a_zone(tmp_path: Path) -> None:
    """Without one, they are UTC."""
    text = CSV.replace(ISO, "2023-11-15T07:00:00").replace(",AAPL", "-05:00,AAPL")
    path = write(tmp_path / "a.csv", text.replace(",MSFT", "-05:00,MSFT"))
    assert rows_of(path) == EXPECTED


def test_a_file_without_symbols_is_named_after_itself(tmp_path: Path) -> None:
    """One file a symbol is how many come."""
    path = write(tmp_path / "btc-usd.2023.csv", f"time,price\n{ISO},37000.5\n")
    assert rows_of(path) == [("BTC-USD", "trade", 0, 37000.5, 1)]
    with pytest.raises(
        ConfigError,
        match="no column 'symbol', and the file's name up to its first dot is no symbol: name it like",
    ):
        replay_of(write(tmp_path / "a b.csv", f"time,price\n{ISO},1\n"))


QUOTES = f"""time,symbol,price,size,bid,ask,bid_size,ask_size
{ISO},A,,,9.99,10.01,100,300
{ISO}.5,A,10.01,5,9.99,10.01,100,200
{ISO}.6,A,,,9.99,,100,
{ISO}.7,A,,,0,10.01,0,200
{ISO}.8,A,,,,,,
{ISO}.9,A,10,6,,,,
"""


def test_a_row_may_be_a_quote_a_trade_or_both(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The quote comes first. What is neither, and quotes with one side, are left out and counted in the log."""
    path = write(tmp_path / "a.csv", QUOTES)
    assert rows_of(path) == [
        ("A", "quote", 0, 9.99, 100, 10.01, 300),
        ("A", "quote", 500_000, 9.99, 100, 10.01, 200),
        ("A", "trade", 500_000, 10.01, 5),
        ("A", "trade", 900_000, 10.0, 6),
    ]
    with caplog.at_level(logging.WARNING):
        replay_of(path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: left out 2 one-sided quotes",
        f"{path}: left out 1 rows without a price",
    ]


def test_what_else_is_recorded_is_left_out_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Gaps and bars; snapshots and the hello are no events. A merged trade has the shares of all."""
    lines = [
        '{"type":"hello","synthetic":false}',
        '{"type":"snapshot","symbol":"A","time":1700049600000,"bid":1,"ask":2,"last":1}',
        '{"type":"gap","symbol":"A","channel":"trades","from":1,"to":2}',
        "",
        '{"type":"trade","symbol":"A","time":1700049600000.25,"price":10.5,"size":3,"merged":2,"volume":12}',
    ]
    path = write(tmp_path / "a.ndjson", "\n".join(lines))
    assert rows_of(path) == [("A", "trade", 250, 10.5, 12)]
    with caplog.at_level(logging.WARNING):
        assert not replay_of(path).synthetic
    assert [r.getMessage() for r in caplog.records] == [f"{path}: left out 1 objects of the type 'gap'"]  # fmt: skip


def test_ndjson_of_others_is_mapped_too(tmp_path: Path) -> None:
    """Numbers may be written as texts."""
    line = '{"T":"2023-11-15T12:00:00Z","S":"A","p":"10.50","v":2}'
    path = write(tmp_path / "a.jsonl", line)
    assert rows_of(path, "time=T,symbol=S,price=p,size=v") == [("A", "trade", 0, 10.5, 2)]


def test_fractional_sizes_can_be_scaled(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"time,symbol,price,size\n{ISO},A,10,0.00345\n")
    assert rows_of(path, size_scale=100_000) == [("A", "trade", 0, 10.0, 345)]
    with pytest.raises(
        ConfigError, match=r"a.csv: line 2: size '0.00345' is not a whole number of 1"
    ):
        replay_of(path)


def table(**columns: Any) -> pa.Table:
    return pa.table(columns)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([NOON_US, NOON_US + 250_000], pa.timestamp("us")),
        pa.array([NOON_US * 1000, NOON_US * 1000 + 250_000_000], pa.timestamp("ns", "US/Eastern")),
        pa.array([NOON_US, NOON_US + 250_000]),
        pa.array([NOON_US / 1e6, NOON_US / 1e6 + 0.25]),
        pa.array([ISO, ISO + ".25"]),
    ],
    ids=lambda times: str(times.type),
)
def test_parquet_is_a_tape_whatever_its_types(tmp_path: Path, times: Any) -> None:
    """Timestamps, numbers or texts; dictionaries; decimals."""
    path = tmp_path / "a.parquet"
    pq.write_table(
        table(
            time=times,
            symbol=pa.array(["A", "B"]).dictionary_encode(),
            px=pa.array([10.5, None]).cast(pa.decimal128(10, 2)),
            size=pa.array([3, None]),
            bid=pa.array([None, 9.5], pa.float32()),
            ask=pa.array([None, "9.75"]),
        ),
        path,
    )
    assert rows_of(path, "price=px") == [
        ("A", "trade", 0, 10.5, 3),
        ("B", "quote", 250_000, 9.5, 0, 9.75, 0),
    ]


MADE = "".join(
    f'{{"type":"trade","symbol":"{s}","time":{NOON_US / 1000},"price":10.5,"size":{n}}}\n'
    for s, n in (("A", 3), ("B", 4))
)

BAD: list[tuple[str, str, str]] = [
    ("a.csv", "", "there is no column 'time' and none was mapped to it; its columns are none"),
    ("a.csv", "ts,symbol,price\n", "its columns are 'ts', 'symbol', 'price'"),
    ("a.csv", "time,symbol,bid\n", "neither a column 'price' nor 'bid' and 'ask'"),
    ("a.csv", "time,symbol,price\n", "there is no trade and no quote on the tape"),
    ("a.csv", f"{CSV}{ISO},A,1\n", "line 5 has 3 values, and the header 4"),
    ("a.csv", f"{CSV}{ISO}.3,A,x,1\n", "line 5: price 'x' is not a number"),
    ("a.csv", f"{CSV}{ISO}.3,A,inf,1\n", "line 5: price 'inf' is not a number"),
    ("a.csv", f"{CSV}{ISO}.3,A,-2,1\n", "line 5: price '-2' is not between 0 and 1e+09"),
    ("a.csv", f"{CSV}{ISO}.3,A,0,1\n", "line 5: price 0 is not above 0"),
    ("a.csv", f"{CSV}{ISO}.3,A,2,\n", "line 5: size '' is not a whole number of 1 or more"),
    ("a.csv", f"{CSV}{ISO}.3,A,2,0\n", "line 5: size '0' is not a whole number of 1 or more"),
    ("a.csv", f"{CSV}{ISO}.3,,2,1\n", "line 5: symbol '' is not a text"),
    ("a.csv", f"{CSV}noon,A,2,1\n", "line 5: time 'noon' is not a time (ISO 8601)"),
    ("a.csv", "time,symbol,price\n1,A,2\n,A,3\n", "line 3: time '' is not a time"),
    ("a.csv", "time,symbol,price\n1,A,2\nx,A,3\n", "line 3: time 'x' is not a number"),
    ("a.csv", f'{CSV}"{ISO},A', "line 5 has 1 values, and the header 4"),
    ("a.ndjson", '{"type":"trade"}\n', "line 1: there is no 'time'"),
    ("a.ndjson", '\n{"time":1,"price":1}\n', "line 2: there is no 'symbol'"),
    ("a.ndjson", '{"time":1,"price":1,"symbol":5}\n', "line 1: symbol 5 is not a text"),
    ("a.ndjson", '{"time":1', "line 1 is no JSON: b'{\"time\":1'"),
    ("a.ndjson", "[]\n", "line 1 is no JSON object: b'[]\\n'"),
    (
        "a.ndjson",
        '{"time":1,"price":1,"symbol":"A","exchange":"?"}\n',
        "line 1: exchange '?' is not one of A, B",
    ),
    (
        "a.ndjson",
        '{"time":1,"price":1,"symbol":"A","conditions":5}\n',
        "line 1: conditions 5 is neither a text nor a list of codes",
    ),
    ("a.csv.gz", "no gzip", "it is not whole, or not compressed with gzip: Not a gzipped file"),
    ("a.parquet", "no parquet", "it can't be read as Parquet: "),
    ("a.csv", f"time,symbol,price\n{ISO},BRK B,1\n", "symbol 'BRK B': 1 to 20 letters"),
    ("a.csv", f"time,symbol,price,price\n{ISO},A,1,2\n", "there are 2 columns 'price'"),
    ("a.csv", "time,price\n-5,1\n", "line 2: time '-5' is not a time"),
    (
        "a.csv",
        "time,price\n1700000000,1\n1700000000000,1\n",
        "line 3: time '1700000000000' is too large for seconds, which the first time is in",
    ),
    ("a.ndjson", '{"time":[1],"price":1,"symbol":"A"}\n', "line 1: time [1] is not a number"),
    ("a.ndjson", '{"time":1,"price":true,"symbol":"A"}\n', "line 1: price True is not a number"),
    (
        "a.ndjson",
        '{"time":1,"price":1,"size":true,"symbol":"A"}\n',
        "line 1: size True is not a number",
    ),
]


@pytest.mark.parametrize(("name", "text", "message"), BAD, ids=[b[2][:50] for b in BAD])
def test_a_bad_file_gets_one_line_that_says_where(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    """The file, the line or row, and the value."""
    path = write(tmp_path / name, text)
    with pytest.raises(ConfigError) as raised:
        replay_of(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_rows_may_come_some_thousand_rows_too_late(tmp_path: Path) -> None:
    """A message of a feed has its events by symbol. Of one time, rows stay in their order."""
    late = [(n ^ 1023) // 2 for n in range(20_000)]
    lines = [f"{NOON_US + t},A,{n + 1}" for n, t in enumerate(late)]
    found = rows_of(write(tmp_path / "a.csv", "\n".join(["time,symbol,price", *lines])))
    assert [row[2] for row in found] == sorted(late)
    assert [row[3] - 1 for row in found] == sorted(range(20_000), key=lambda n: (late[n], n))


def test_a_file_that_is_not_sorted_is_refused(tmp_path: Path) -> None:
    """With the line, and how much too late it is."""
    lines = [f"{NOON_US + 1000 * t},A,5" for t in (*range(10_000), 5)]
    path = write(tmp_path / "a.csv", "\n".join(["time,symbol,price", *lines]))
    with pytest.raises(
        ConfigError, match=r"line 10002: its time is [\d.]+ s before that of a line"
    ):
        replay_of(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(CSV.encode() + b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is no text in UTF-8"):
        replay_of(path)


def test_a_gzip_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode())[:-9])
    with pytest.raises(ConfigError, match="it is not whole"):
        replay_of(path)


def test_missing_values_in_parquet_are_named_by_their_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(time=[1, None], symbol=["A", "B"], price=[1.0, 2.0]), path)
    with pytest.raises(ConfigError, match="row 2: there is no 'time'"):
        replay_of(path)
    pq.write_table(table(time=[1, 2], symbol=["A", "B"], price=["1", "x"]), path)
    with pytest.raises(ConfigError, match="row 2: price 'x' is not a number"):
        replay_of(path)


def test_bad_names_are_refused(tmp_path: Path) -> None:
    """Files that aren't there, formats that are unknown, columns that aren't there."""
    with pytest.raises(ConfigError, match=r"can't read '.*nowhere.csv': No such file"):
        replay_of(tmp_path / "nowhere.csv")
    with pytest.raises(ConfigError, match=r"can't read '.*nowhere.parquet': No such file"):
        replay_of(tmp_path / "nowhere.parquet")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigError, match=r"can't read '.*': Is a directory"):
        replay_of(tmp_path / "folder.csv")
    with pytest.raises(ConfigError, match=r"can't tell what '.*a.xls' holds; its name must end in"):
        replay_of(tmp_path / "a.xls")
    with pytest.raises(ConfigError, match="there is no column 'px', which price was mapped to"):
        replay_of(write(tmp_path / "a.csv", CSV), "price=px")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("px", "the column map 'px' is not FIELD=COLUMN; the fields are time, symbol, price"),
        ("last=px", "the column map 'last=px' is not FIELD=COLUMN"),
        ("price=a,price=b", "the column map has 'price' twice"),
    ],
)
def test_bad_maps_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ColumnMap.parse(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "replay-scale 0.0 is not between 1e-09 and 1e"),
        ({"size_scale": float("nan")}, "replay-size-scale nan is not between"),
        ({"rename": "A"}, "replay-rename 'A' is not OLD=NEW"),
        ({"rename": "A=B,A=C"}, "replay-rename 'A=C' is not OLD=NEW, or is there twice"),
        ({"rename": "A=B C"}, "replay-rename: 'B C' is no symbol"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ReplayOptions.parse("a.csv", "", options.pop("rename", ""), **options)


def test_without_pyarrow_parquet_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"needs pyarrow: pip install 'tickerplant\[parquet\]'"):
        replay_of(tmp_path / "a.parquet")


@pytest.mark.parametrize("suffix", ["ndjson", "csv", "parquet"])
def test_a_long_file_takes_no_more_memory_than_a_short_one(tmp_path: Path, suffix: str) -> None:
    """Both passes; what Python and numpy take at most while a file of five times the rows is played."""

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.{suffix}"
        _many(path, count)
        tracemalloc.start()
        played = replay_of(path)
        while not played.over:
            played.step(played.now_us + 1_000_000, 500)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert played.sequences()[0].tolist() == [count]
        return most

    assert peak(80_000) < 1.4 * peak(16_000)


def _many(path: Path, count: int) -> None:
    """A file of trades within ten seconds: the bars they make, which are kept, are as many in a long one."""
    step = 10_000_000 / count
    if path.suffix == ".parquet":
        steps = pa.array(range(count))
        symbols = pa.array(["A"] * count).dictionary_encode()
        times = pa.array([NOON_US + round(step * n) for n in range(count)], pa.timestamp("us"))
        pq.write_table(table(time=times, symbol=symbols, price=pc.add(steps, 1)), path)
        return
    with path.open("w") as file:
        if path.suffix == ".csv":
            file.write("time,symbol,price\n")
        for n in range(count):
            at, price = (NOON_US + round(step * n)) / 1e3, 1 + n % 100
            file.write(
                f"{at},A,{price}\n"
                if path.suffix == ".csv"
                else f'{{"type":"trade","time":{at},"symbol":"A","price":{price},"size":1}}\n'
            )


def test_a_file_is_gone_through_once_as_long_as_it_does_not_change(tmp_path: Path) -> None:
    """A session or a reset plays it anew, with nothing to wait for."""
    path = write(tmp_path / "a.ndjson", '{"type":"hello","synthetic":true}\n' + MADE)
    options, told = ReplayOptions(path), list[float]()
    first = options.prepare(told.append)
    assert told
    one, other = (p.replay(p.survey.start_us, 0) for p in (first, options.prepare(told.append)))
    assert len(told) == 1
    assert (one.epoch, one.synthetic) == (other.epoch, other.synthetic)
    assert other.synthetic
    for played in (one, other):
        assert played.step(played.now_us + 1_000_000).size.tolist()[:2] == [3, 4]
    write(path, MADE.replace('"size":4', '"size":44'))
    changed = options.prepare(told.append)
    assert len(told) == 2
    assert changed.replay(changed.survey.start_us, 0).epoch != one.epoch
    path.unlink()
    with pytest.raises(ConfigError, match="No such file"):
        options.prepare()


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    """While a file is gone through, it is told how far that is."""
    for suffix in ("ndjson", "csv", "parquet"):
        _many(tmp_path / f"a.{suffix}", 20_000)
        told: list[float] = []
        ReplayOptions(tmp_path / f"a.{suffix}").prepare(told.append)
        assert told == sorted(told)
        assert 0 < told[0] < 0.5
        assert told[-1] == pytest.approx(1.0, abs=0.1)
