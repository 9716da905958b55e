"""Bars equal the naive aggregation of trades, for every interval, finished or not."""

import tracemalloc
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markets import SECOND, marks, naive_bars, table_rows

from ticker.batch import INTERVALS, BarTable
from ticker.bookkeeping.bars import BarBuilder, BarHistory
from ticker.reference.marks import moves

SYMBOLS = 3
DAY = 86_400
MIDNIGHT = 20_454 * DAY

Trade = tuple[int, int, int, int, int]
"""Second, symbol, price, size, mark."""


@st.composite
def tapes(draw: st.DrawFn) -> tuple[int, int, list[Trade]]:
    """A start and an end, in seconds, and trades between them, with gaps that jump over intervals."""
    special = draw(st.booleans())
    start = MIDNIGHT + draw(st.sampled_from([-1, 0, 1, 59, 290, 3_599, 80_000, DAY - 61]))
    second, trades = start, []
    for gap in draw(
        st.lists(st.sampled_from([0, 0, 0, 1, 2, 59, 60, 241, 3_600, 40_000]), max_size=12)
    ):
        second += gap
        for _ in range(draw(st.integers(0, 3))):
            symbol = draw(st.integers(0, SYMBOLS - 1))
            price, size = draw(st.integers(1, 50)), draw(st.integers(1, 9))
            trades.append((second, symbol, price, size, draw(marks) if special else 0))
    return start, second + draw(st.sampled_from([0, 1, 60, 300, DAY])), trades


def build(start: int, end: int, trades: list[Trade]) -> tuple[BarBuilder, list[BarTable]]:
    """A builder that got the trades, and all bars that it closed, by interval."""
    builder = BarBuilder(SYMBOLS)
    closed: list[list[BarTable]] = [[] for _ in INTERVALS]
    by_second = defaultdict(list)
    for trade in trades:
        by_second[trade[0]].append(trade[1:])
    # Of the seconds without a trade, only those matter in which an interval with a trade ends.
    ends = {t - t % length + length for t in by_second for length in INTERVALS.values()}
    for second in sorted(ends | by_second.keys()):
        if second in ends and second <= end:
            for number, bars in builder.close(second):
                assert second % list(INTERVALS.values())[number] == 0
                assert len(bars)
                closed[number].append(bars)
        if second in by_second:
            symbol, price, size, mark = zip(*by_second[second], strict=True)
            moved = moves(np.array(mark)) if any(mark) else None
            builder.add(np.array(symbol, np.int32), np.array(price), np.array(size), moved)
    return builder, [BarTable.join(bars) if bars else BarTable.empty() for bars in closed]


@settings(max_examples=60)
@given(tapes())
def test_bars_equal_the_naive_aggregation(tape: tuple[int, int, list[Trade]]) -> None:
    """Every interval of every symbol in which a trade moved the last price has one bar; the last may still be under way."""
    start, end, trades = tape
    builder, closed = build(start, end, trades)
    for number, length in enumerate(INTERVALS.values()):
        current = end - end % length
        for symbol in range(SYMBOLS):
            mine = [(t * SECOND, *rest) for t, s, *rest in trades if s == symbol]
            expected = [(symbol, *bar) for bar in naive_bars(mine, length * SECOND)]
            finished = [row for row in table_rows(closed[number]) if row[0] == symbol]
            open_now = table_rows(builder.under_way(number, symbol, current * SECOND))
            assert finished + open_now == expected
            assert all(row[1] == current * SECOND for row in open_now)
            for limit in (1, 2, 100):
                newest, partial = builder.newest(number, symbol, current * SECOND, limit)
                assert table_rows(newest) == expected[-limit:]
                assert partial == bool(open_now)


@given(
    st.lists(
        st.tuples(st.integers(0, SYMBOLS - 1), st.integers(1, 50), st.integers(1, 9)), max_size=30
    ),
    st.integers(0, 30),
)
def test_trades_can_come_in_pieces(rows: list[tuple[int, int, int]], cut: int) -> None:
    """It doesn't matter how many of them are added together."""
    once, twice = BarBuilder(SYMBOLS), BarBuilder(SYMBOLS)
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
    symbol, price, size = columns[:, 0].astype(np.int32), columns[:, 1], columns[:, 2]
    once.add(symbol, price, size)
    twice.add(symbol[:cut], price[:cut], size[:cut])
    twice.add(symbol[cut:], price[cut:], size[cut:])
    a, b = ([table_rows(bars) for _, bars in builder.close(1)] for builder in (once, twice))
    assert a == b


def test_bars_that_close_together_come_shortest_first() -> None:
    """At midnight all intervals end."""
    builder = BarBuilder(SYMBOLS)
    builder.add(np.array([1], np.int32), np.array([5]), np.array([7]))
    closed = builder.close(MIDNIGHT)
    assert [number for number, _ in closed] == [0, 1, 2, 3, 4]
    for (_, bars), length in zip(closed, INTERVALS.values(), strict=True):
        assert table_rows(bars) == [(1, (MIDNIGHT - length) * SECOND, 5, 5, 5, 5, 7, 35, 1)]


def test_the_turnover_of_a_bar_does_not_overflow() -> None:
    """The dearest price in ticks, times the largest blocks, keeps the average price."""
    builder = BarBuilder(1)
    price, size = 10**13, 10**9
    for _ in range(100):
        builder.add(np.zeros(1000, np.int32), np.full(1000, price), np.full(1000, size))
    bars = builder.under_way(0, 0, 0)
    assert bars.volume[0] == 10**5 * size
    assert bars.notional[0] / bars.volume[0] == pytest.approx(price, rel=1e-9)


def test_a_bar_under_way_costs_the_same_in_a_large_universe() -> None:
    """It looks at one symbol, not at all of them."""
    builder = BarBuilder(100_000)
    everybody = np.arange(100_000, dtype=np.int32)
    builder.add(everybody, np.full(100_000, 5), np.full(100_000, 7))
    builder.under_way(4, 0, 0)
    tracemalloc.start()
    bars = builder.under_way(4, 99_999, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert table_rows(bars) == [(99_999, 0, 5, 5, 5, 5, 7, 35, 1)]
    assert peak < 20_000


# History.


def table(start: int, *symbols: int) -> BarTable:
    ones = [np.ones(len(symbols), dtype=np.int64)] * 7
    return BarTable(np.array(symbols, dtype=np.int32), np.full(len(symbols), start), *ones)  # type: ignore[arg-type]


def starts(history: BarHistory, symbol: int, limit: int = 100) -> list[int]:
    return history.of(symbol, limit).start.tolist()


def test_a_history_gives_the_newest_bars_of_a_symbol_oldest_first() -> None:
    """And no other symbol's."""
    history = BarHistory()
    for start in range(5):
        history.append(table(start, *((1, 2) if start % 2 else (2, 3))))
    assert starts(history, 1) == [1, 3]
    assert starts(history, 2) == [0, 1, 2, 3, 4]
    assert starts(history, 2, 3) == [2, 3, 4]
    assert starts(history, 0) == starts(history, 4) == []
    assert history.complete


@pytest.mark.parametrize("limit", [0, -1])
def test_no_bars_are_given_when_none_are_wanted(limit: int) -> None:
    """A limit below 1 gives none, not all."""
    history = BarHistory()
    history.append(table(0, 1))
    assert starts(history, 1, limit) == []


def test_a_history_forgets_the_oldest_closings_past_its_rows() -> None:
    """Rows count for all symbols together."""
    history = BarHistory(rows=5)
    for start in range(4):
        history.append(table(start, 1, 2))
        assert history.complete == (start < 2)
    assert starts(history, 1) == [2, 3]
    history.append(table(4, 2))
    assert starts(history, 1) == [2, 3]
    assert starts(history, 2) == [2, 3, 4]


def test_a_history_forgets_the_oldest_closings_past_their_number() -> None:
    """A market of few symbols doesn't make a search endless."""
    history = BarHistory(tables=3)
    for start in range(5):
        history.append(table(start, 1))
    assert starts(history, 1) == [2, 3, 4]
    assert not history.complete


def test_the_newest_closing_is_kept_however_large_it_is() -> None:
    """A universe of more symbols than the history has rows still has its last bars."""
    history = BarHistory(rows=2)
    history.append(table(0, 1, 2, 3))
    history.append(table(1, 1, 2, 3))
    assert starts(history, 1) == [1]
