"""The set of instruments: built in, invented, or read from a file, with exact words about what is wrong."""

import csv
import hashlib
import io
import json
import re
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ticker.instruments import SYMBOL_PATTERN, Instrument, UniverseError
from ticker.names import FAMOUS, SECTORS, synthetic
from ticker.universe import MAX_SYMBOLS, Universe

FIELDS = "symbol, price, name, sector, volatility, spread, tick_size, round_lot, activity"
FIELDS += ", exchange, tier"


def message(action: Any, *arguments: Any) -> str:
    """The text of the error that an action raises."""
    with pytest.raises(UniverseError) as caught:
        action(*arguments)
    return str(caught.value)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """Write a file, and give its path."""

    def write(name: str, text: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


# Built-in and invented instruments.


@pytest.mark.parametrize("size", [1, 30, 31, 500, 10_000])
def test_a_universe_of_any_size_has_distinct_symbols(size: int) -> None:
    """Well-known names first."""
    universe = Universe.of_size(size)
    assert len(universe) == len(set(universe.symbols)) == size
    assert tuple(universe)[:30] == FAMOUS[:size]
    assert {i.sector for i in universe} <= set(SECTORS)


def test_a_smaller_universe_is_the_beginning_of_a_larger_one() -> None:
    """So a symbol has the same data in each."""
    assert Universe.of_size(500).instruments == Universe.of_size(10_000).instruments[:500]


def test_the_largest_universe_has_distinct_symbols() -> None:
    """A hundred thousand of them."""
    assert len(Universe.of_size(MAX_SYMBOLS)) == MAX_SYMBOLS


def test_all_sectors_are_there() -> None:
    """Five hundred symbols spread over all eleven, none of them rare."""
    sectors = [i.sector for i in Universe.of_size(500)]
    assert set(sectors) == set(SECTORS)
    assert len(SECTORS) == len(set(SECTORS)) == 11
    assert min(sectors.count(sector) for sector in SECTORS) > 20


@pytest.mark.parametrize("size", [30, 10_000])
def test_activities_have_the_mean_1(size: int) -> None:
    """So a rate means what it says."""
    assert Universe.of_size(size).column("activity").mean() == pytest.approx(1, abs=0.02)


def test_the_built_in_instruments_are_pinned() -> None:
    """The same data on every machine; change them only together with the golden tape of test_market.py."""
    text = repr(Universe.of_size(10_000).instruments)
    assert hashlib.sha256(text.encode()).hexdigest()[:32] == "5a64e82e9a5ab0aa2baaf42dcf2fd730"


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 symbols: 1 to 100000 are allowed"),
        (-3, "-3 symbols: 1 to 100000 are allowed"),
        (100_001, "100001 symbols: 1 to 100000 are allowed"),
    ],
)
def test_a_size_out_of_range_is_refused(size: int, expected: str) -> None:
    """The message tells the range."""
    assert message(Universe.of_size, size) == expected


def test_named_symbols_keep_their_order_and_their_data() -> None:
    """Well-known ones with theirs, others with invented ones, which depend on the symbol alone."""
    universe = Universe.of_symbols(["ZZZZ", "AAPL", "QQ.X"])
    assert universe.symbols == ("ZZZZ", "AAPL", "QQ.X")
    assert universe[1] == FAMOUS[0]
    assert universe[0] == Universe.of_symbols(["ZZZZ"])[0] == synthetic("ZZZZ")


def test_an_invented_symbol_can_be_asked_for_by_name() -> None:
    """It is then what it is in a universe by size."""
    universe = Universe.of_size(200)
    assert Universe.of_symbols(universe.symbols[100:]).instruments == universe.instruments[100:]


@given(st.from_regex(SYMBOL_PATTERN, fullmatch=True))
def test_every_symbol_has_plausible_data(symbol: str) -> None:
    """Whatever somebody calls it."""
    instrument = synthetic(symbol)
    assert 8 <= instrument.price <= 400
    assert 0.15 <= instrument.volatility <= 0.55
    assert instrument.spread >= 1
    assert instrument.round_lot == (40 if instrument.price > 250 else 100)
    assert 0.25 <= instrument.activity <= 1.75
    assert instrument.name


# A universe.


def test_a_universe_is_a_sequence_of_instruments() -> None:
    """Length, order, positions, slices, membership."""
    a, b, c = (Instrument(symbol, 10.0) for symbol in "ABC")
    universe = Universe([a, b, c])
    assert (len(universe), list(universe), universe[1], universe[-1]) == (3, [a, b, c], b, c)
    assert universe[1:] == (b, c)
    assert b in universe
    assert universe.index(c) == 2


def test_a_universe_shows_its_first_symbols() -> None:
    """Four of them, in the developer's view."""
    assert repr(Universe.of_size(30)) == "<Universe of 30: AAPL, MSFT, NVDA, AMZN, ...>"
    assert repr(Universe.of_size(2)) == "<Universe of 2: AAPL, MSFT>"


def test_a_symbol_is_found_by_its_name() -> None:
    """Exactly as it is written."""
    universe = Universe.of_size(30)
    assert universe.find("MSFT") == 1
    assert universe.find("msft") is universe.find("NONE") is None


def test_columns_are_arrays_of_one_field() -> None:
    """In the order of the symbols."""
    universe = Universe([Instrument("A", 10.0, round_lot=7), Instrument("B", 20.0)])
    assert universe.column("round_lot").tolist() == [7.0, 100.0]
    assert universe.column("price").dtype == np.float64


def test_a_universe_without_symbols_is_refused() -> None:
    """There must be something to trade."""
    assert message(Universe, []) == "a universe needs at least one symbol"


def test_a_universe_of_too_many_symbols_is_refused() -> None:
    """The limit protects memory."""
    many = [Instrument("A", 10.0)] * 100_001
    assert message(Universe, many) == "100001 symbols; at most 100000 are allowed"


def test_a_symbol_that_is_there_twice_is_refused() -> None:
    """The message tells which."""
    assert message(Universe.of_symbols, ["A", "B", "A", "C"]) == "symbol 'A' is there twice"


# Prices.

tick_sizes = st.sampled_from([0.01, 0.005, 0.25, 0.0001, 1e-7, 1, 100, 0.03125])


@given(st.lists(st.tuples(tick_sizes, st.integers(1, 10**13)), min_size=1, max_size=5))
def test_prices_are_the_floats_nearest_to_their_decimals(rows: list[tuple[float, int]]) -> None:
    """As far as a price can go, a hundred times the highest at the start; never 187.43000000000001."""
    universe = Universe(
        [Instrument(f"S{i}", 1e4, tick_size=tick, spread=1.0) for i, (tick, _) in enumerate(rows)]
    )
    ticks = np.array([ticks for _, ticks in rows])
    prices = universe.prices(np.arange(len(rows), dtype=np.int32), ticks)
    assert prices.tolist() == [float(Decimal(str(tick)) * n) for tick, n in rows]


@given(tick_sizes, st.integers(10**4, 10**9))
def test_a_price_on_the_grid_starts_where_it_says(tick_size: float, ticks: int) -> None:
    """Turning prices into ticks and back changes nothing."""
    price = float(Decimal(str(tick_size)) * ticks)
    if price > 1e7 or ticks > 10**11:
        return
    universe = Universe([Instrument("A", price, tick_size=tick_size)])
    assert universe.start_ticks().tolist() == [ticks]
    assert universe.prices(np.zeros(1, np.int32), np.array([ticks])).tolist() == [price]


# Patterns and suggestions.


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["A", "AB", "ABC", "A.B", "A-B", "B^X", "a"]),
        ("A*", ["A", "AB", "ABC", "A.B", "A-B"]),
        ("A", ["A"]),
        ("A?", ["AB"]),
        ("A?B", ["A.B", "A-B"]),
        ("A.B", ["A.B"]),
        ("A.*", ["A.B"]),
        ("?", ["A", "a"]),
        ("*B*", ["AB", "ABC", "A.B", "A-B", "B^X"]),
        ("**", ["A", "AB", "ABC", "A.B", "A-B", "B^X", "a"]),
        ("B^*", ["B^X"]),
        ("[A]", []),
        ("[AB]*", []),
        ("[!A]", []),
        ("[", []),
        ("]*", []),
        ("A|AB", []),
        ("(A)", []),
        ("A+", []),
        ("A\\*", []),
        ("A$", []),
        ("", []),
        ("A\n", []),
    ],
)
def test_patterns_know_two_characters_only(pattern: str, expected: list[str]) -> None:
    """A star is any characters, a question mark one; everything else is itself."""
    symbols = ["A", "AB", "ABC", "A.B", "A-B", "B^X", "a"]
    universe = Universe([Instrument(symbol, 10.0) for symbol in symbols])
    assert [universe.symbols[i] for i in universe.match(pattern)] == expected


def test_a_pattern_of_many_stars_is_answered() -> None:
    """It doesn't take exponential time."""
    universe = Universe([Instrument("A" * 20, 10.0)])
    assert universe.match("*A" * 19 + "*B") == []


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("APPL", "AAPL"),
        ("MSFFT", "MSFT"),
        ("aapl", "AAPL"),
        ("GOGL", "GOOGL"),
        ("BRKB", "BRK.B"),
        ("brk-b", "BRK.B"),
        ("QQQQQQ", None),
        ("", None),
        ("AAPL" * 5, None),
    ],
)
def test_a_mistyped_symbol_is_recognised(typed: str, expected: str | None) -> None:
    """The one that looks most like it, or none."""
    assert Universe.of_size(30).suggest(typed) == expected


# Files.


def as_csv(universe: Universe) -> str:
    """What the command `tickerplant symbols` prints."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(asdict(universe[0])))
    writer.writeheader()
    writer.writerows(asdict(i) for i in universe)
    return text.getvalue()


def as_toml(universe: Universe) -> str:
    """The same as tables of TOML, whose strings and numbers are JSON's."""
    return "".join(
        "[[instrument]]\n"
        + "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in asdict(i).items())
        for i in universe
    )


words = st.text("abcXYZ äß&,;\"'\n#|-.0", max_size=12).map(str.strip)
instruments = st.builds(
    Instrument,
    symbol=st.from_regex(SYMBOL_PATTERN, fullmatch=True),
    price=st.floats(50, 1e7),
    name=words,
    sector=words.filter(bool),
    volatility=st.floats(0, 10),
    spread=st.floats(1, 10),
    tick_size=st.sampled_from([0.01, 0.005, 0.25, 1, 0.0001]).map(float),
    round_lot=st.integers(1, 1_000_000),
    activity=st.floats(0, 1_000),
)
universes = st.lists(instruments, min_size=1, max_size=5, unique_by=lambda i: i.symbol)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(universes.map(Universe))
def test_what_is_written_is_read_back(write: Any, universe: Universe) -> None:
    """Every field of every instrument, to the last bit, from CSV and from TOML."""
    for name, text in (("u.csv", as_csv(universe)), ("u.toml", as_toml(universe))):
        assert Universe.from_file(write(name, text)).instruments == universe.instruments


def test_the_built_in_universe_is_read_back(write: Any) -> None:
    """What `tickerplant symbols` prints is what `--symbols` takes."""
    universe = Universe.of_size(500)
    assert Universe.from_file(write("u.csv", as_csv(universe))).instruments == universe.instruments


@pytest.mark.parametrize(
    "text",
    [
        "symbol,price\nA,10\nB,20.5\n",
        "price,symbol\r\n10,A\r\n20.5,B\r\n",
        "\ufeffsymbol,price\nA,10\nB,20.5",
        " symbol , price , name \n\n A , 10 ,\n\nB, 20.5,\n",
        'symbol,price,volatility,name\n"A","10",,\n"B","20.5",,\n',
        "symbol,price,\nA,10,\nB,20.5,\n",
    ],
)
def test_csv_is_read_as_people_write_it(write: Any, text: str) -> None:
    """Any order of columns, spaces, blank lines, byte order mark, quotes; empty values are left out."""
    expected = (Instrument("A", 10.0), Instrument("B", 20.5))
    assert Universe.from_file(write("u.csv", text)).instruments == expected


def test_toml_is_read_as_people_write_it(write: Any) -> None:
    """Whole numbers where a fraction could be, and fractions that are whole numbers."""
    text = '\ufeff[[instrument]]\nsymbol = " A "\nprice = 10\nround_lot = 40.0\n'
    expected = Instrument("A", 10.0, round_lot=40)
    assert Universe.from_file(write("U.TOML", text)).instruments == (expected,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "{path}: a universe needs at least one symbol"),
        ("symbol,price\n", "{path}: a universe needs at least one symbol"),
        ("symbol\nA\n", "{path}, line 2: the field 'price' is missing"),
        ("price\n1\n", "{path}, line 2: the field 'symbol' is missing"),
        ("symbol,price\nA,10\nB\n", "{path}, line 3: the field 'price' is missing"),
        ("symbol,price\n,10\n", "{path}, line 2: the field 'symbol' is missing"),
        ("A,10\nB,20\n", f"{{path}}, line 2: unknown field 'A'; known fields: {FIELDS}"),
        (
            "symbol,prize\nA,10\n",
            f"{{path}}, line 2: unknown field 'prize'; known fields: {FIELDS}",
        ),
        (
            "symbol,price\nA,10,11,12\n",
            "{path}, line 2: there are more values than columns: 11, 12",
        ),
        ("symbol,price,price\nA,1,2\n", "{path}, line 1: the column 'price' is there twice"),
        ("symbol,price\nA,ten\n", "{path}, line 2: price 'ten' is not a number"),
        ("symbol,price\nA,1;5\n", "{path}, line 2: price '1;5' is not a number"),
        ('symbol,price\nA,"10,5"\n', "{path}, line 2: price '10,5' is not a number"),
        (
            "symbol,price,round_lot\nA,10,1.5\n",
            "{path}, line 2: round_lot '1.5' is not a whole number",
        ),
        ("symbol,price\nA,nan\n", "{path}, line 2: A: price nan is not between 0.0001 and 1e+07"),
        ("symbol,price\nA,1e999\n", "{path}, line 2: A: price inf is not between 0.0001 and 1e+07"),
        ("symbol,price\nA,-1\n", "{path}, line 2: A: price -1.0 is not between 0.0001 and 1e+07"),
        (
            "symbol,price,tick_size\nA,10,0.03\n",
            "{path}, line 2: tick size 0.03 must be a whole number, or one over a whole number (0.01, 0.005, 0.25)",
        ),
        (
            "symbol,price,tick_size\nA,10,nan\n",
            "{path}, line 2: tick size nan must be a whole number, or one over a whole number (0.01, 0.005, 0.25)",
        ),
        (
            "symbol,price,tick_size\nA,0.03,0.01\n",
            "{path}, line 2: A: price 0.03 is only 3 ticks of 0.01; it must be at least four spreads",
        ),
        (
            "symbol,price\nA B,10\n",
            "{path}, line 2: symbol 'A B': 1 to 20 letters, digits or any of . - / = ^ _ are allowed, beginning with a letter or digit",
        ),
        ("symbol,price\nA,1\nB,2\nA,3\n", "{path}: symbol 'A' is there twice"),
        (
            'symbol,price\n"A"x,1\n',
            "can't read the universe file '{path}': ',' expected after '\"'",
        ),
        ('symbol,price\n"A,1\n', "can't read the universe file '{path}': unexpected end of data"),
    ],
)
def test_a_bad_csv_file_is_refused(write: Any, text: str, expected: str) -> None:
    """With its name, the line and the value."""
    path = write("u.csv", text)
    assert message(Universe.from_file, path) == expected.replace("{path}", str(path))


def toml(**values: Any) -> str:
    return "[[instrument]]\n" + "".join(f"{k} = {v}\n" for k, v in values.items())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "{path}: a universe needs at least one symbol"),
        (
            "[instrument]\nsymbol = 'A'\n",
            "{path}: 'instrument' must be an array of tables, written [[instrument]]",
        ),
        (
            "instrument = ['A']\n",
            "{path}: 'instrument' must be an array of tables, written [[instrument]]",
        ),
        (
            "[[instruments]]\n",
            "{path}: unknown key 'instruments'; the tables are written [[instrument]]",
        ),
        (toml(symbol="'A'"), "{path}, instrument 1: the field 'price' is missing"),
        (
            toml(symbol="'A'", price=1) + toml(price=1),
            "{path}, instrument 2: the field 'symbol' is missing",
        ),
        (toml(symbol=5, price=1), "{path}, instrument 1: symbol 5 is not text"),
        (toml(symbol="'A'", price="[1]"), "{path}, instrument 1: price [1] is not a number"),
        (toml(symbol="'A'", price="'x'"), "{path}, instrument 1: price 'x' is not a number"),
        (toml(symbol="'A'", price="true"), "{path}, instrument 1: price True is not a number"),
        (
            toml(symbol="'A'", price="nan"),
            "{path}, instrument 1: A: price nan is not between 0.0001 and 1e+07",
        ),
        (
            toml(symbol="'A'", price="1" + 310 * "0"),
            f"{{path}}, instrument 1: price 1{310 * '0'} is not a number",
        ),
        (
            toml(symbol="'A'", price=1, round_lot=1.5),
            "{path}, instrument 1: round_lot 1.5 is not a whole number",
        ),
        (
            toml(symbol="'A'", price=1, round_lot="inf"),
            "{path}, instrument 1: round_lot inf is not a whole number",
        ),
        (
            toml(symbol="'A'", price=1, round_lot="true"),
            "{path}, instrument 1: round_lot True is not a whole number",
        ),
        (
            toml(symbol="'A'", price=1, colour="'red'"),
            f"{{path}}, instrument 1: unknown field 'colour'; known fields: {FIELDS}",
        ),
    ],
)
def test_a_bad_toml_file_is_refused(write: Any, text: str, expected: str) -> None:
    """With its name, the table and the value."""
    path = write("u.toml", text)
    assert message(Universe.from_file, path) == expected.replace("{path}", str(path))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the reason that the system gives."""
    for name in ("u.csv", "u.toml"):
        path = str(tmp_path / name)
        expected = f"can't read the universe file {path!r}: No such file or directory"
        assert message(Universe.from_file, path) == message(Universe.parse, path) == expected


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """With the reason that the system gives."""
    (tmp_path / "u.csv").mkdir()
    path = str(tmp_path / "u.csv")
    expected = f"can't read the universe file {path!r}: Is a directory"
    assert message(Universe.from_file, path) == expected


@pytest.mark.parametrize("name", ["u.csv", "u.toml"])
def test_a_file_that_is_not_text_is_refused(write: Any, name: str) -> None:
    """A spreadsheet's own format, for instance."""
    path = write(name, b"PK\x03\x04\xff\xfe")
    assert message(Universe.from_file, path).startswith(
        f"can't read the universe file {str(path)!r}: 'utf-8' codec can't decode byte 0xff"
    )


@pytest.mark.parametrize("text", ["[[instrument", "price = 1" + 5_000 * "0"])
def test_a_file_that_is_no_toml_is_refused(write: Any, text: str) -> None:
    """With what is wrong with it."""
    path = write("u.toml", text)
    assert re.match(
        re.escape(f"can't read the universe file {str(path)!r}: ") + "(Expected|Exceeds) .+",
        message(Universe.from_file, path),
    )


# What a user types.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", ("AAPL",)),
        (" 2 ", ("AAPL", "MSFT")),
        ("0000000000002", ("AAPL", "MSFT")),
        ("AAPL", ("AAPL",)),
        ("MSFT,AAPL", ("MSFT", "AAPL")),
        (" MSFT , ,AAPL, ", ("MSFT", "AAPL")),
        ("BRK.B,EUR/USD", ("BRK.B", "EUR/USD")),
        ("0700.HK", ("0700.HK",)),
    ],
)
def test_numbers_and_lists_of_symbols_are_understood(text: str, expected: tuple[str, ...]) -> None:
    """Spaces and stray commas don't matter."""
    assert Universe.parse(text).symbols == expected


def test_a_long_list_of_symbols_is_understood() -> None:
    """Longer than the name of a file can be."""
    symbols = Universe.of_size(2_000).symbols
    assert Universe.parse(",".join(symbols)).symbols == symbols


@pytest.mark.parametrize("name", ["u.csv", "U.CSV", "u.txt", "universe"])
def test_a_file_is_understood_whatever_it_is_called(write: Any, name: str) -> None:
    """If it is there; what isn't TOML is CSV."""
    path = write(name, "symbol,price\nA,10\n")
    assert Universe.parse(str(path)).symbols == ("A",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a universe needs at least one symbol"),
        (" , ", "a universe needs at least one symbol"),
        ("0", "0 symbols: 1 to 100000 are allowed"),
        ("1234567890", "1234567890 symbols: 1 to 100000 are allowed"),
        ("A,A", "symbol 'A' is there twice"),
        (
            "-5",
            "symbol '-5': 1 to 20 letters, digits or any of . - / = ^ _ are allowed, beginning with a letter or digit",
        ),
        (
            "A;B",
            "symbol 'A;B': 1 to 20 letters, digits or any of . - / = ^ _ are allowed, beginning with a letter or digit",
        ),
        ("none.toml", "can't read the universe file 'none.toml': No such file or directory"),
    ],
)
def test_what_is_none_of_these_is_refused(text: str, expected: str) -> None:
    """With the words of the kind that it looks like."""
    assert message(Universe.parse, text) == expected


def test_a_file_without_tick_sizes_has_those_of_rule_612(write: Any) -> None:
    """A hundredth of a cent below a dollar, a cent from there on; what is told counts for more."""
    text = "symbol,price,tick_size,exchange,tier\nA,0.9999,,N,1\nB,1,,,\nC,12,0.005,P,2\n"
    universe = Universe.from_file(write("u.csv", text))
    assert [i.tick_size for i in universe] == [0.0001, 0.01, 0.005]
    assert [(i.exchange, i.tape, i.tier) for i in universe] == [
        ("N", "A", 1),
        ("", "", 2),
        ("P", "B", 2),
    ]
    with pytest.raises(UniverseError, match="line 2: A: exchange 'D' lists nothing"):
        Universe.from_file(write("v.csv", "symbol,price,exchange\nA,1,D\n"))


def test_a_file_without_round_lots_has_those_of_the_rules(tmp_path: Path) -> None:
    """By the price, as with tick sizes: 17 CFR 242.600(b)(93)."""
    path = tmp_path / "a.csv"
    prices = {"250": 100, "250.01": 40, "1000": 40, "1000.01": 10, "10000": 10, "10000.01": 1}
    rows = (f"S{n},{price}," for n, price in enumerate(prices))
    path.write_text("\n".join(["symbol,price,round_lot", *rows, "T,5000,7"]))
    assert [i.round_lot for i in Universe.from_file(path)] == [*prices.values(), 7]
