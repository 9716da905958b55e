"""What an instrument may be, and what is said about one that may not."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ticker.instruments import MAX_TICKS, SYMBOL_PATTERN, Instrument, UniverseError, tick_fraction

NAN, INF = float("nan"), float("inf")


def test_only_symbol_and_price_are_needed() -> None:
    """The rest are the data of an ordinary US stock."""
    assert Instrument("AAPL", 187.43) == Instrument(
        symbol="AAPL",
        price=187.43,
        name="",
        sector="Other",
        volatility=0.3,
        spread=1.5,
        tick_size=0.01,
        round_lot=100,
        activity=1.0,
    )


@pytest.mark.parametrize(
    "symbol", ["A", "brk.b", "0700", "EUR/USD", "ES=F", "BTC-USD", "X^Y", "A_B", "A" * 20]
)
def test_symbols_as_vendors_write_them_are_allowed(symbol: str) -> None:
    """With the punctuation of share classes, pairs, futures and indices."""
    assert Instrument(symbol, 10.0).symbol == symbol


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        " ",
        "A B",
        ".A",
        "-A",
        "^GSPC",
        "A" * 21,
        "A,B",
        "A*",
        "A?",
        "A[",
        'A"',
        "A\n",
        "Ä",
        "A\0",
    ],
)
def test_a_symbol_that_means_something_else_is_refused(symbol: str) -> None:
    """A pattern, a list, white space or nothing is no symbol."""
    with pytest.raises(UniverseError) as caught:
        Instrument(symbol, 10.0)
    assert str(caught.value) == (
        f"symbol {symbol!r}: 1 to 20 letters, digits or any of . - / = ^ _ are allowed,"
        " beginning with a letter or digit"
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("price", -5.0, "X: price -5.0 is not between 0.0001 and 1e+07"),
        ("price", 0, "X: price 0 is not between 0.0001 and 1e+07"),
        ("price", 1e8, "X: price 100000000.0 is not between 0.0001 and 1e+07"),
        ("price", NAN, "X: price nan is not between 0.0001 and 1e+07"),
        ("price", INF, "X: price inf is not between 0.0001 and 1e+07"),
        ("volatility", -0.1, "X: volatility -0.1 is not between 0 and 10"),
        ("volatility", 10.1, "X: volatility 10.1 is not between 0 and 10"),
        ("volatility", NAN, "X: volatility nan is not between 0 and 10"),
        ("volatility", INF, "X: volatility inf is not between 0 and 10"),
        ("spread", 0.99, "X: spread 0.99 is not between 1 and 10000"),
        ("spread", 10_001, "X: spread 10001 is not between 1 and 10000"),
        ("spread", NAN, "X: spread nan is not between 1 and 10000"),
        ("spread", -INF, "X: spread -inf is not between 1 and 10000"),
        ("round_lot", 0, "X: round_lot 0 is not between 1 and 1e+06"),
        ("round_lot", -100, "X: round_lot -100 is not between 1 and 1e+06"),
        ("round_lot", 2_000_000, "X: round_lot 2000000 is not between 1 and 1e+06"),
        ("activity", -1.0, "X: activity -1.0 is not between 0 and 1000"),
        ("activity", 1_001.0, "X: activity 1001.0 is not between 0 and 1000"),
        ("activity", NAN, "X: activity nan is not between 0 and 1000"),
        ("activity", INF, "X: activity inf is not between 0 and 1000"),
    ],
)
def test_a_number_out_of_range_is_refused(field: str, value: Any, message: str) -> None:
    """The message tells the symbol, the field, the value and the range."""
    values = {"symbol": "X", "price": 10.0, field: value}
    with pytest.raises(UniverseError) as caught:
        Instrument(**values)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("price", "tick_size", "spread", "message"),
    [
        (
            0.03,
            0.01,
            1.0,
            "X: price 0.03 is only 3 ticks of 0.01; it must be at least four spreads",
        ),
        (
            10.0,
            0.01,
            251.0,
            "X: price 10.0 is only 1000 ticks of 0.01; it must be at least four spreads",
        ),
        (3.0, 1, 1.0, "X: price 3.0 is only 3 ticks of 1; it must be at least four spreads"),
        (
            1.0,
            1e300,
            1.0,
            "X: price 1.0 is only 0 ticks of 1e+300; it must be at least four spreads",
        ),
        (1e7, 1e-6, 1.0, "X: price 10000000.0 is 1e+13 ticks of 1e-06; at most 1e+11 are allowed"),
    ],
)
def test_a_price_of_too_few_or_too_many_ticks_is_refused(
    price: float, tick_size: float, spread: float, message: str
) -> None:
    """A walk needs room below for bid and ask, and numbers that are exact above."""
    with pytest.raises(UniverseError) as caught:
        Instrument("X", price, tick_size=tick_size, spread=spread)
    assert str(caught.value) == message


@given(st.integers(4, 40_000), st.sampled_from([1, 4, 8, 100, 200, 10_000, 10**7]))
@example(29, 100)  # 0.29 / 0.01 is 28.999999999999996
def test_a_price_of_exactly_four_spreads_is_allowed(ticks: int, per_unit: int) -> None:
    """Whatever the last bit of the price over the tick size is."""
    price = ticks / per_unit
    if price >= 1e-4:
        Instrument("X", price, tick_size=1 / per_unit, spread=ticks / 4)


def test_the_highest_price_in_ticks_is_allowed() -> None:
    """The bound itself is inside."""
    assert Instrument("X", 1e7, tick_size=1e-4).price * 10**4 == MAX_TICKS


# Tick sizes.


@pytest.mark.parametrize(
    ("tick_size", "expected"),
    [
        (1, Fraction(1)),
        (100, Fraction(100)),
        (0.01, Fraction(1, 100)),
        (0.005, Fraction(1, 200)),
        (0.25, Fraction(1, 4)),
        (0.0001, Fraction(1, 10_000)),
        (1e-7, Fraction(1, 10**7)),
        (0.03125, Fraction(1, 32)),
    ],
)
def test_a_tick_size_is_an_exact_fraction(tick_size: float, expected: Fraction) -> None:
    """Not the binary number next to it."""
    assert tick_fraction(tick_size) == expected


@pytest.mark.parametrize(
    "tick_size", [0, -0.01, 0.03, 2.5, 1e-8, 0.3333333333333333, NAN, INF, -INF]
)
def test_a_tick_size_that_divides_nothing_is_refused(tick_size: float) -> None:
    """Prices wouldn't be decimals."""
    with pytest.raises(UniverseError) as caught:
        Instrument("X", 10.0, tick_size=tick_size)
    assert str(caught.value) == (
        f"tick size {tick_size!r} must be a whole number, or one over a whole number (0.01, 0.005, 0.25)"
    )


def test_an_error_about_instruments_is_a_value_error() -> None:
    """A caller that knows nothing of this package can catch it."""
    with pytest.raises(ValueError, match=r"^symbol ''"):
        Instrument("", 1.0)


@given(st.from_regex(SYMBOL_PATTERN, fullmatch=True))
def test_no_symbol_needs_escaping(symbol: str) -> None:
    """In a list with commas, a pattern, JSON, CSV, or a line of text."""
    assert not set(symbol) & set(" ,;*?[]{}!'\"\\\t\r\n\0<>&|")
    assert symbol.isascii()
    assert Instrument(symbol, 10.0).symbol == symbol
