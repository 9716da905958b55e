"""
The prelude: the last trades and quotes from before the market started, of one symbol, made when somebody asks.

The seconds are those of the :class:`~ticker.past.Past`: the same walk back from the first price. Within a second the
middle price is a Brownian bridge between its two ends, shown at random moments, as :mod:`ticker.flow` shows the market's
own cells. The last quote is the one that stands at the start, the last trade is at the first price, and sequences end
with 0, so that the market's own events follow on. The bars of these seconds are made of these trades.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TickBatch
from ticker.draws import lots, poisson, trade_sizes
from ticker.instruments import Instrument
from ticker.noise import NORMAL_ONE, Stream, halves, normals
from ticker.walk import TRADING_YEAR_S

__all__ = ["MOST_EVENTS", "MOST_SECONDS", "Standing", "prelude", "seconds_of"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

MOST_EVENTS = 2_000
"""About how many events to go back, trades and quotes together, as long as these are a second or more."""

MOST_SECONDS = 3_600
"""The most seconds to go back."""

_FASTEST = 50_000.0  # events a second beyond which a single second would take too long
_SECOND_US = 1_000_000
_INSIDE = np.uint16(0x00F0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands at the market's start, in ticks."""

    price: int
    """The previous close."""
    bid: int
    ask: int


def seconds_of(rate: float) -> int:
    """Tell how many seconds to go back where there are so many events a second; 0 where they are too many."""
    if rate > _FASTEST:
        return 0
    return max(1, min(MOST_SECONDS, math.ceil(MOST_EVENTS / max(rate, 1e-9))))


def prelude(
    seed: int,
    symbol: int,
    instrument: Instrument,
    path: F64,
    end_us: int,
    *,
    rate: float,
    trade_share: float,
    standing: Standing,
) -> TickBatch:
    """
    Make the trades and quotes of some seconds, in the order of time.

    Args:
        seed: the market's seed.
        symbol: the symbol id, to write into the rows.
        instrument: the symbol's static data.
        path: the price in ticks at the start of each second, and at the end of the last: shape (seconds + 1,).
        end_us: the time at the end of the last second, in microseconds.
        rate: events a second.
        trade_share: the fraction of events that are trades.
        standing: what stands at the end.

    Cost: about a microsecond an event.
    """
    seconds = len(path) - 1
    rows = _Rows.of(seed, instrument.symbol, seconds, rate)
    trade = _kinds(rows.draws[:, 0], trade_share)
    quotes = np.flatnonzero(~trade)
    price, ask = _prices(path, rows, trade, instrument, standing)
    size, ask_size = _sizes(rows.others, trade, instrument.round_lot, quotes)
    return TickBatch(
        symbol=np.full(len(trade), symbol, dtype=np.int32),
        channel=np.where(trade, 0, QUOTES).astype(np.uint8),
        seq=np.where(trade, np.cumsum(trade) - trade.sum(), np.cumsum(~trade) - len(quotes)),
        time=end_us - seconds * _SECOND_US + rows.second * _SECOND_US + rows.offset_us,
        price=price,
        size=size,
        ask=ask,
        ask_size=ask_size,
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """Moments in the order of time, with their draws."""

    second: I64
    """The second of each, from 0."""
    offset_us: I64
    """Microseconds after the start of the second."""
    draws: NDArray[np.uint16]
    """Kind, side, place inside the quote, width: shape (rows, 4)."""
    others: NDArray[np.uint16]
    """Step, size, size of the ask; shape (rows, 4)."""

    @classmethod
    def of(cls, seed: int, name: str, seconds: int, rate: float) -> "_Rows":
        # Seconds are counted back from the start, so that the newest ones don't depend on how far back one goes.
        uniform = halves(Stream(seed, "prelude.count", [name]).words(0, seconds)[0])[:, 0]
        count = poisson(np.full(seconds, rate), (uniform + 0.5) / 65536)
        total = int(count.sum())
        back = np.repeat(np.arange(seconds), count)
        words = (
            Stream(seed, f"prelude.{purpose}", [name]).words(0, total)[0]
            for purpose in ("time", "event", "size")
        )
        times, events, sizes = words
        offset = (times >> np.uint64(44)).astype(np.int64) * _SECOND_US >> 20
        order = np.lexsort((offset, -back))
        second = seconds - 1 - back[order]
        return cls(second, offset[order], halves(events)[order], halves(sizes)[order])


def _kinds(draws: NDArray[np.uint16], trade_share: float) -> NDArray[np.bool_]:
    """Whether each event is a trade; the last two are the standing quote and the last trade, which hold at the start."""
    trade = draws < round(trade_share * 65536)
    if 0 < trade_share < 1 and len(trade):
        trade[-2:] = [False, True][-len(trade[-2:]) :]
    return trade


def _prices(
    path: F64,
    rows: _Rows,
    trade: NDArray[np.bool_],
    instrument: Instrument,
    standing: Standing,
) -> tuple[I64, I64]:
    """Prices of trades and bids, and asks, of which trades have none."""
    bid, ask = _quotes(
        _bridge(path, rows, instrument.volatility), instrument.spread, rows.draws[:, 3]
    )
    quotes, trades = np.flatnonzero(~trade)[-1:], np.flatnonzero(trade)[-1:]
    bid[quotes], ask[quotes] = standing.bid, standing.ask
    every = np.arange(len(trade))
    latest = np.maximum.accumulate(np.where(trade, -1, every))
    around = np.where(latest < 0, every, latest)
    price = _trade_prices(bid[around], ask[around], rows.draws[:, 1], rows.draws[:, 2])
    price[trades] = standing.price
    return np.where(trade, price, bid), np.where(trade, 0, ask)


def _bridge(path: F64, rows: _Rows, volatility: float) -> F64:
    """A Brownian bridge in each second, at its events, which divide it evenly."""
    second = rows.second
    starts = np.flatnonzero(np.diff(second, prepend=-1))
    count = np.diff(starts, append=len(second))
    group = np.repeat(np.arange(len(starts)), count)
    steps = normals(rows.others[:, 0])
    sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(steps)))
    reached = sums[1:] - sums[starts][group]
    total = sums[starts + count] - sums[starts] + normals(rows.others[starts, 3])
    share = (np.arange(len(second)) - starts[group] + 1) / (count + 1)[group]
    opened, closed = path[second], path[second + 1]
    scale = volatility / math.sqrt(TRADING_YEAR_S) * opened / NORMAL_ONE
    wander = (reached - share * total[group]) / np.sqrt(count + 1.0)[group]
    mid: F64 = opened + (closed - opened) * share + scale * wander
    return mid


def _quotes(mid: F64, spread: float, width: NDArray[np.uint16]) -> tuple[I64, I64]:
    """Put quotes around the middle price, ``spread`` ticks wide on average, on the grid."""
    wide = np.maximum(1, np.floor(spread + width / 65536)).astype(np.int64)
    bid = np.maximum(1, np.floor(mid - wide / 2 + 0.5)).astype(np.int64)
    return bid, bid + wide


def _trade_prices(bid: I64, ask: I64, side: NDArray[np.uint16], inside: NDArray[np.uint16]) -> I64:
    """At the ask or at the bid; one in sixteen somewhere between, both included."""
    between = bid + ((ask - bid + 1) * inside.astype(np.int64) >> 16)
    return np.where(side & _INSIDE, np.where(side & 1, ask, bid), between)


def _sizes(
    draws: NDArray[np.uint16], trade: NDArray[np.bool_], lot: int, quotes: NDArray[np.intp]
) -> tuple[I64, I64]:
    """Sizes of trades and bids, and of asks; a round lot each in the last quote, which stands at the start."""
    of_trades, of_quotes = _tables()
    of_trade = np.maximum(1, of_trades[draws[:, 1]] * lot // 100)
    size = np.where(trade, of_trade, of_quotes[draws[:, 1]] * lot)
    ask_size = np.where(trade, 0, of_quotes[draws[:, 2]] * lot)
    size[quotes[-1:]] = ask_size[quotes[-1:]] = lot
    return size, ask_size


@cache
def _tables() -> tuple[I64, I64]:
    return trade_sizes(), lots()
