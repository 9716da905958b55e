"""What a snapshot tells, against a model that keeps one symbol's state in a dict."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from markets import marks, moved_by

from ticker.bookkeeping.daybook import DayBook, Snapshot
from ticker.instruments import Instrument
from ticker.reference.marks import moves
from ticker.universe import Universe

UNIVERSE = Universe(
    [Instrument("A", 10.0), Instrument("B", 20.0, round_lot=40), Instrument("C", 30.0, round_lot=1)]
)
START = 1_000


def new_book() -> DayBook:
    close = np.array([1000, 2000, 3000])
    return DayBook(close, close - 1, close + 1, UNIVERSE, START)


def initial(symbol: int) -> dict[str, Any]:
    close = 1000 * (symbol + 1)
    lot = UNIVERSE[symbol].round_lot
    return {
        "symbol": symbol,
        "time_us": START,
        "last": close,
        "size": None,
        "bid": close - 1,
        "bid_size": lot,
        "ask": close + 1,
        "ask_size": lot,
        "open": None,
        "high": None,
        "low": None,
        "prev_close": close,
        "volume": 0,
    }


trades = st.tuples(st.just("trade"), st.integers(0, 2), st.integers(1, 9), st.integers(1, 5), marks)
quotes = st.tuples(
    st.just("quote"), st.integers(0, 2), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5)
)
turns = st.lists(st.lists(st.one_of(trades, quotes), max_size=12), max_size=6)


def apply(state: dict[str, Any], event: tuple[Any, ...], time: int) -> None:
    """Enter one event into the model."""
    state["time_us"] = time
    if event[0] == "quote":
        _, _, bid, size, ask_size = event
        state |= {"bid": bid, "bid_size": size, "ask": bid + 1, "ask_size": ask_size}
        return
    _, _, price, size, *mark = event
    moved = moved_by(*mark)
    if "volume" in moved:
        state["volume"] += size
    if "range" in moved:
        state["range"].append(price)
    if "last" in moved:
        opened = price if state["open"] is None else state["open"]
        state |= {"last": price, "size": size, "open": opened}
    if state["open"] is not None:
        state |= {"high": max(state["range"]), "low": min(state["range"])}


def enter(book: DayBook, rows: list[tuple[Any, ...]], times: list[int]) -> None:
    """Enter some events into the book as the market does: the trades, then the quotes."""
    for kind, method in (("trade", book.trade), ("quote", book.quote)):
        mine = [(row[1:], time) for row, time in zip(rows, times, strict=True) if row[0] == kind]
        if not mine:
            continue
        columns = np.array([row for row, _ in mine]).T
        at = np.array([time for _, time in mine])
        symbol = columns[0].astype(np.int32)
        if kind == "trade":
            moved = moves(columns[3]) if len(columns) > 3 and columns[3].any() else None
            method(symbol, columns[1], columns[2], at, moved)  # type: ignore[call-arg]
        else:
            method(symbol, columns[1], columns[2], columns[1] + 1, columns[3], at)


@given(turns, st.sets(st.integers(0, 5)))
def test_a_snapshot_is_what_the_events_say(
    turns: list[list[tuple[Any, ...]]], midnights: set[int]
) -> None:
    """After every turn, in however many events it came, over the ends of days."""
    book, model = new_book(), [initial(symbol) | {"range": []} for symbol in range(3)]
    time = START
    for number, rows in enumerate(turns):
        times = [time + 2 * i for i in range(len(rows))]
        time += 2 * len(rows)
        enter(book, rows, times)
        for row, at in zip(rows, times, strict=True):
            apply(model[row[1]], row, at)
        if number in midnights:
            book.close_day()
            for state in model:
                state |= {"prev_close": state["last"], "volume": 0}
                state |= {"open": None, "high": None, "low": None, "range": []}
        for symbol, state in enumerate(model):
            told = {name: value for name, value in state.items() if name != "range"}
            assert book.snapshot(symbol) == Snapshot(**told)


def test_before_the_first_trade_the_last_price_is_the_previous_close() -> None:
    """And the day has no open, high and low, nor a last size."""
    assert new_book().snapshot(1) == Snapshot(**initial(1))


def test_a_new_day_keeps_the_last_trade_and_the_quote() -> None:
    """Only the day's own statistics begin anew."""
    book = new_book()
    enter(book, [("trade", 0, 7, 3), ("quote", 0, 6, 2, 4)], [2_000, 2_001])
    book.close_day()
    assert book.snapshot(0) == Snapshot(
        symbol=0,
        time_us=2_001,
        last=7,
        size=3,
        bid=6,
        bid_size=2,
        ask=7,
        ask_size=4,
        open=None,
        high=None,
        low=None,
        prev_close=7,
        volume=0,
    )


def test_the_first_trade_of_a_day_is_its_open_whatever_the_day_before_was() -> None:
    """Yesterday's high and low are forgotten."""
    book = new_book()
    enter(book, [("trade", 0, 900, 1), ("trade", 0, 3, 1)], [2_000, 2_001])
    book.close_day()
    enter(book, [("trade", 0, 50, 1), ("trade", 0, 60, 2), ("trade", 0, 40, 3)], [3_000] * 3)
    state = book.snapshot(0)
    assert (state.open, state.high, state.low, state.last) == (50, 60, 40, 40)
    assert (state.prev_close, state.volume) == (3, 6)


def test_the_standing_quotes_are_those_of_the_snapshots() -> None:
    """All at once; 0 where there was no quote yet, as on a tape."""
    none = np.zeros(3, dtype=np.int64)
    book = DayBook(none, none, none, UNIVERSE, START)
    assert not book.standing().any()
    enter(book, [("quote", 1, 6, 2, 4)], [2_000])
    assert book.standing().T.tolist() == [[0] * 4, [6, 2, 7, 4], [0] * 4]
    state = book.snapshot(1)
    assert [state.bid, state.bid_size, state.ask, state.ask_size] == [6, 2, 7, 4]


def test_the_arrays_that_a_book_starts_from_stay_as_they_are() -> None:
    """The market goes on using its standing quotes."""
    bid, ask, close = np.array([9] * 3), np.array([11] * 3), np.array([10] * 3)
    book = DayBook(close, bid, ask, UNIVERSE, START)
    enter(book, [("trade", 0, 7, 3), ("quote", 0, 6, 2, 4)], [2_000, 2_001])
    book.close_day()
    assert (bid.tolist(), ask.tolist(), close.tolist()) == ([9] * 3, [11] * 3, [10] * 3)
