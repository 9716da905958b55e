"""The rings of trades against a list of all of them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from feeds.dialects import trades as trades_module
from feeds.dialects.trades import MergedTrades, TradeRings
from ticker.reference.marks import mark_of


def sum_up(rings: TradeRings, *rows: tuple[int, int, int]) -> list[MergedTrades | None]:
    """Rows of symbol, last sequence, count."""
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return rings.sum_up(*columns)


def extend(rings: TradeRings, *rows: tuple[int, int, int, int]) -> None:
    """Rows of symbol, sequence, price, size."""
    rings.extend(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)


def test_trades_that_do_not_move_everything_come_to_what_they_move() -> None:
    """An odd lot has shares, one sold out of sequence is no close; what is kept before and after has no mark."""
    odd, late = mark_of("V", "I"), mark_of("N", "Z")
    rings = TradeRings(np.zeros(1, dtype=np.int64))
    extend(rings, (0, 1, 100, 10))
    columns = np.array([(0, 2, 999, 1, odd), (0, 3, 101, 20, 0), (0, 4, 90, 5, late)]).T
    rings.extend(*columns)
    extend(rings, (0, 5, 102, 1))
    assert sum_up(rings, (0, 2, 1), (0, 2, 2), (0, 4, 3), (0, 5, 2), (0, 5, 1), (0, 4, 1)) == [
        MergedTrades(0, 1, None, None, None, all=False),
        MergedTrades(0, 11, 100, 100, 100, 100, all=False),
        MergedTrades(0, 26, 101, 101, 90, 101, all=False),
        MergedTrades(0, 6, 102, 102, 90, 102, all=False),
        MergedTrades(0, 1, 102, 102, 102),
        MergedTrades(0, 5, None, 90, 90, all=False),
    ]
    extend(rings, *((0, seq, 7, 1) for seq in range(6, 6 + rings.length)))
    newest = 5 + rings.length
    length = rings.length
    assert sum_up(rings, (0, newest, length)) == [MergedTrades(0, length, 7, 7, 7)], "no old mark"


def test_several_trades_come_to_their_shares_and_extremes() -> None:
    rings = TradeRings(np.array([5, 0]))
    extend(rings, (0, 6, 100, 10), (1, 1, 7, 1), (0, 7, 103, 20), (0, 8, 99, 30))
    assert sum_up(rings, (0, 8, 3), (0, 8, 2), (1, 1, 1)) == [
        MergedTrades(0, volume=60, open=100, high=103, low=99),
        MergedTrades(0, volume=50, open=103, high=103, low=99),
        MergedTrades(1, volume=1, open=7, high=7, low=7),
    ]
    assert sum_up(rings) == []


def test_what_was_before_the_beginning_isnt_known() -> None:
    rings = TradeRings(np.array([5]))
    extend(rings, (0, 6, 100, 10))
    assert sum_up(rings, (0, 6, 2), (0, 6, 1)) == [None, MergedTrades(0, 10, 100, 100, 100)]


def test_so_many_are_kept_and_not_one_more() -> None:
    rings = TradeRings(np.zeros(1, dtype=np.int64))
    length = rings.length
    assert length == 1_024
    extend(rings, *((0, seq, 1_000 - seq, 1) for seq in range(1, length + 2)))
    newest = length + 1
    assert sum_up(rings, (0, newest, length), (0, newest, length + 1)) == [
        MergedTrades(0, volume=length, open=998, high=998, low=1_000 - newest),
        None,
    ]


def test_memory_is_bounded_however_many_symbols_there_are() -> None:
    rings = TradeRings(np.zeros(100_000, dtype=np.int64))
    assert rings.length == 20
    assert TradeRings(np.zeros(1_000_000, dtype=np.int64)).length == 16


turns = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 50), st.integers(1, 9)), max_size=12),
    max_size=8,
)


@given(turns, st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_against_a_list(batches: list[list[tuple[int, int, int]]], begun: list[int]) -> None:
    """Of any trades in a row, either what they come to, or nothing; everything that must be known is."""
    before = trades_module._MOST_TRADES
    trades_module._MOST_TRADES = 16
    try:
        rings = TradeRings(np.array(begun))
    finally:
        trades_module._MOST_TRADES = before
    tape: list[list[tuple[int, int]]] = [[(0, 0)] * n for n in begun]
    for batch in batches:
        rows = []
        for symbol, price, size in batch:
            tape[symbol].append((price, size))
            rows.append((symbol, len(tape[symbol]), price, size))
        extend(rings, *rows)
    asked = [(s, len(tape[s]), n) for s in range(3) for n in range(1, len(tape[s]) + 1)]
    for (symbol, last, count), told in zip(asked, sum_up(rings, *asked), strict=True):
        if count > 16 or last - count < begun[symbol]:
            assert told is None
            continue
        prices, sizes = zip(*tape[symbol][-count:], strict=True)
        assert told == MergedTrades(symbol, sum(sizes), prices[0], max(prices), min(prices))
