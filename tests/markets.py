"""Universes, and naive ways to read and to check what a market gives, for the tests of `ticker`."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from ticker.batch import BARS, QUOTES, TRADES, BarTable, TickBatch
from ticker.instruments import Instrument
from ticker.market import DEFAULT_START_US, Market
from ticker.reference.conditions import CONDITIONS
from ticker.reference.marks import mark_of, marked
from ticker.universe import Universe

__all__ = [
    "COLUMNS",
    "SECOND",
    "START",
    "UNIVERSES",
    "Bar",
    "Event",
    "assert_well_formed",
    "content",
    "digest",
    "events",
    "market_of_three",
    "marks",
    "moved_by",
    "naive_bars",
    "run",
    "table_rows",
]

SECOND = 1_000_000
START = DEFAULT_START_US
marks = st.sampled_from(
    [0, 0, 0, mark_of("N"), *(mark_of("V", codes) for codes in ("I", "Z", "M", "F", "TI", "Z4"))]
)
"""Marks of trades: half of them of such that move everything."""

COLUMNS = ("symbol", "channel", "seq", "time", "price", "size", "ask", "ask_size")

UNIVERSES: dict[str, list[Instrument]] = {
    "well-known names": list(Universe.of_size(30)),
    "penny stocks": [
        Instrument("PENNY", 0.05, spread=1.0, volatility=2.0),
        Instrument("LEAST", 0.04, spread=1.0, volatility=10.0, round_lot=1),
        Instrument("WIDE", 0.80, spread=20.0, volatility=10.0),
    ],
    "fine ticks": [
        Instrument("FOREX", 1.0832, tick_size=0.0001, volatility=0.08, spread=1.2),
        Instrument("SUBPENNY", 0.0123, tick_size=0.0001, volatility=1.5, spread=2.5),
        Instrument("HALF", 12.005, tick_size=0.005, round_lot=7),
    ],
    "coarse ticks": [
        Instrument("FUTURE", 5012.25, tick_size=0.25, volatility=0.15, spread=1.05, round_lot=1),
        Instrument("YEN", 3120, tick_size=1, spread=3.0),
        Instrument("HUNDREDS", 40_000, tick_size=100, spread=50.0),
    ],
    "expensive ones": [
        Instrument("BRK.A", 612_345.67, spread=900.0, round_lot=1, sector="Financials"),
        Instrument("DEAR", 1e7, tick_size=1e-4, volatility=10.0, round_lot=1_000_000),
        Instrument("GAP", 1_000.0, spread=10_000.0),
    ],
    "unequal activity": [
        Instrument("DEAD", 10.0, activity=0.0),
        Instrument("SLEEPY", 20.0, activity=0.001),
        Instrument("BUSY", 30.0, activity=40.0, volatility=0.0),
    ],
}
"""Instruments at the edges of what is allowed, by what is special about them."""


class Event(NamedTuple):
    """A trade or a quote."""

    channel: int
    seq: int
    time: int
    price: int
    size: int
    ask: int
    ask_size: int


class Bar(NamedTuple):
    """A bar, as an event."""

    channel: int
    seq: int
    time: int
    start: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    notional: float
    trades: int


def market_of_three(rate: float = 40.0, **options: Any) -> Market:
    """A market of three symbols, of which one is busier and one cheap."""
    universe = Universe(
        [Instrument("A", 100.0), Instrument("B", 20.0, activity=3.0), Instrument("C", 0.3)]
    )
    return Market(universe, **({"seed": 7, "rate": rate} | options))


def run(market: Market, seconds: float) -> TickBatch:
    """Step a market over some seconds, in one step."""
    return market.step(market.now_us + round(seconds * SECOND))


def content(batch: TickBatch) -> bytes:
    """Everything in a batch, the same bytes on every machine."""
    columns = [getattr(batch, name).astype("<i8") for name in COLUMNS]
    for f in fields(BarTable):
        column = getattr(batch.bars, f.name)
        columns.append(column.astype("<f8" if f.name == "notional" else "<i8"))
    return b"".join(column.tobytes() for column in columns)


def digest(batch: TickBatch) -> str:
    """A hash of everything in a batch."""
    return hashlib.sha256(content(batch)).hexdigest()


def events(batch: TickBatch, symbol: int | None = None) -> list[Any]:
    """A batch, or one symbol of it, as a list of `Event` and `Bar`, which don't know the symbol's id."""
    bars = table_rows(batch.bars)
    found: list[Any] = []
    for row in zip(*(getattr(batch, name).tolist() for name in COLUMNS), strict=True):
        if symbol is not None and row[0] != symbol:
            continue
        if row[1] < BARS:
            found.append(Event(*row[1:]))
        else:
            found.append(Bar(*row[1:4], *bars[row[4]][1:]))
    return found


def table_rows(bars: BarTable) -> list[tuple[Any, ...]]:
    """A table of bars as a list of rows: symbol, start, open, high, low, close, volume, notional, trades."""
    return list(zip(*(getattr(bars, f.name).tolist() for f in fields(BarTable)), strict=True))


def naive_bars(
    trades: Iterable[tuple[int, ...]], length: int
) -> Iterator[tuple[int, int, int, int, int, int, int, int]]:
    """
    Bars of some trades (time, price, size, perhaps a mark) of one symbol, for intervals of `length` microseconds.

    Gives start, open, high, low, close, volume, notional, trades.
    """
    intervals: dict[int, list[tuple[int, int, set[str]]]] = defaultdict(list)
    for time, price, size, *mark in trades:
        moved = moved_by(*mark)
        intervals[time - time % length].append((price, size, moved))
    for start, rows in intervals.items():
        prices = [price for price, _, moved in rows if "last" in moved]
        extremes = [price for price, _, moved in rows if "range" in moved]
        shares = [(price, size) for price, size, moved in rows if "volume" in moved]
        if not prices:
            continue
        yield (
            start,
            prices[0],
            max(extremes),
            min(extremes),
            prices[-1],
            sum(size for _, size in shares),
            sum(price * size for price, size in shares),
            len(shares),
        )


def moved_by(mark: int = 0) -> set[str]:
    """What a trade moves: some of last, range and volume."""
    mine = marked(mark)[1]
    of = [condition for condition in CONDITIONS if condition.code in mine]
    return {name for name in ("last", "range", "volume") if all(getattr(c, name) for c in of)}


def assert_well_formed(batch: TickBatch, universe: Universe, since: int, until: int) -> None:
    """Assert what holds for the events of any market from its start at `since` to `until`."""
    time, channel = batch.time, batch.channel
    assert (np.diff(time) >= 0).all()
    tick = channel < BARS
    assert (time[tick] >= since).all()
    assert (time[tick] < until).all()
    assert (time[~tick] > since).all()
    assert (time[~tick] <= until).all()
    trade, quote = channel == TRADES, channel == QUOTES
    assert (batch.price[tick] >= 1).all()
    assert (batch.size[tick] >= 1).all()
    assert (batch.ask[quote] > batch.price[quote]).all()
    assert not batch.ask[~quote].any()
    assert not batch.ask_size[~quote].any()
    lot = universe.column("round_lot").astype(np.int64)[batch.symbol[quote]]
    for size in (batch.size[quote], batch.ask_size[quote]):
        assert (size >= lot).all()
        assert not (size % lot).any()
    last: dict[tuple[int, int], int] = {}
    columns = (batch.symbol, channel, batch.seq)
    for symbol, number, seq in zip(*(column.tolist() for column in columns), strict=True):
        assert seq == last.get((symbol, number), 0) + 1
        last[symbol, number] = seq
    assert int(trade.sum() + quote.sum() + len(batch.bars)) == len(batch)
