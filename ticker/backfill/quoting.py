"""Quotes around trades from before the market started, so that each trade prints inside the one that stands."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.spans import halved
from ticker.instruments import Instrument
from ticker.processes.mix import mix_of
from ticker.randomness.draws import lots, poisson
from ticker.randomness.noise import EXPONENTIAL_ONE, Stream, bits, exponentials, halves
from ticker.trading_day.calendar import TradingDays

__all__ = ["PLACE_BITS", "RUNS", "Hours", "Quotes", "Standing", "Traded", "quotes_around"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Draws = NDArray[np.uint16]

PLACE_BITS = 20
"""Bits of the number of a trade in its second."""

RUNS = np.uint64(1 << 62)
"""The counter of the draws of the last run of trades; those of earlier ones count on from there."""

_INSIDE = np.uint16(0x00F0)
_LEAST = 0.05  # ticks above one that even the tightest symbol has where spreads are wide


class Standing(NamedTuple):
    """The quote that stands at the market's start, in ticks."""

    bid: int
    ask: int


@dataclass(frozen=True, slots=True)
class Traded:
    """Trades, in the order of time."""

    time: I64
    """Unix time in microseconds."""
    price: I64
    """Ticks."""
    size: I64
    """Shares."""
    mark: I64 | None = None
    """What is special about each (:mod:`ticker.reference.marks`); None: nothing."""

    @classmethod
    def none(cls) -> "Traded":
        """Give no trades."""
        return cls(*(np.empty(0, np.int64) for _ in range(3)))


class Hours(NamedTuple):
    """When the market was open, and what that does to quotes."""

    days: TradingDays
    strain: tuple[float, float]
    """The factor on what spreads have above one tick, before and after the regular session."""
    cent: int
    """How many ticks a cent has: from a dollar on, quotes are whole ones."""

    def factor(self, time_us: I64) -> F64:
        """Give the factor on spreads at some times; 0 in regular sessions, whose spreads are as usual."""
        second = time_us // 1_000_000
        day = self.days.at(second)
        early, late = second < self.days.opening[day], second >= self.days.close[day]
        return np.where(early, self.strain[0], np.where(late, self.strain[1], 0.0))

    def widened(self, bid: I64, ask: I64) -> tuple[I64, I64]:
        """Put quotes from a dollar on to whole cents, no narrower than they were."""
        dollar, cent = 100 * self.cent, self.cent
        low: I64 = np.where(bid > dollar, bid // cent * cent, bid)
        high: I64 = np.where(ask > dollar, -(-ask // cent) * cent, ask)
        return low, high


@dataclass(frozen=True, slots=True)
class Quotes:
    """Quotes, in the order of time."""

    before: I64
    """The number of the trade before which each comes."""
    time: I64
    bid: I64
    ask: I64
    size: I64
    """Of bids and asks, shape (2, quotes)."""

    @classmethod
    def none(cls) -> "Quotes":
        """Give no quotes."""
        none = np.empty(0, np.int64)
        return cls(none, none, none, none, np.empty((2, 0), np.int64))


def quotes_around(
    stream: Stream,
    trades: Traded,
    begin_us: int,
    instrument: Instrument,
    trade_share: float,
    standing: Standing,
    hours: Hours | None = None,
) -> Quotes:
    """
    Make quotes: one around each run of trades, and others on the way there from the one before; those behind trades come on top.

    Args:
        stream: the symbol's.
        trades: the trades; of those that have a mark, each is a run of its own, in the middle of its quote.
        begin_us: when the first one may come, in microseconds.
        instrument: the symbol's static data.
        trade_share: the fraction of events that are trades.
        standing: the last quote.
        hours: those in which the market was open; None: always.
    """
    count = len(trades.time)
    share = trade_share or 0.5  # one a trade, where the trades stand for quotes
    behind = trade_share > 0 and mix_of(trade_share).followed
    if not count or share == 1:
        return Quotes.none()
    starts, length = _runs(trades, max(1, round(share / (1 - share))))
    run = np.arange(len(starts))[::-1]
    uniform = halves(bits(stream.keys, RUNS + run.astype(np.uint64)))[:, 0]
    wanted = np.maximum(0.0, length * (1 - share) / share - 1 - behind)
    others = poisson(wanted, (uniform + 0.5) / 65536)
    row = np.repeat(np.arange(len(starts)), others + 1)
    number = np.arange(len(row)) - np.repeat(np.cumsum(others + 1) - others - 1, others + 1)
    place = (run[row] << PLACE_BITS) + number
    counter = (2 * place)[:, None] + np.arange(2)
    draws = halved(bits(stream.keys, counter.astype(np.uint64)))
    time = _times(trades.time, begin_us, starts, row, draws, hours)
    wide = _wide(time, instrument.spread, draws, hours)
    way = number / (others + 1)[row]
    bid, ask = _placed(trades, starts, row, way, wide, draws)
    if hours is not None:
        bid, ask = hours.widened(bid, ask)
    size = lots()[draws[4:6]] * instrument.round_lot
    bid[-1], ask[-1], size[:, -1] = *standing, instrument.round_lot
    return Quotes(starts[row], time, bid, ask, size)


def _runs(trades: Traded, longest: int) -> tuple[I64, I64]:
    """Give where runs begin, and their lengths: counted from the end; the last trade is one of its own, inside what stands."""
    count = len(trades.time)
    run = (np.arange(count)[::-1] + longest - 1) // longest
    fresh = np.diff(run, prepend=-1) != 0
    if trades.mark is not None:
        alone = trades.mark != 0
        fresh[alone] = True
        fresh[1:][alone[:-1]] = True
    starts = np.flatnonzero(fresh)
    return starts, np.diff(starts, append=count)


def _times(
    traded: I64, begin_us: int, starts: I64, row: I64, draws: Draws, hours: Hours | None
) -> I64:
    """Give times from those of the trades before to those of the next ones, in order, while the market is open."""
    begin = np.array([begin_us])
    if hours is not None:
        traded, begin = hours.days.opened(traded), hours.days.opened(begin)
    since = np.concatenate((begin, traded[starts[1:] - 1]))
    moment = np.sort((row << PLACE_BITS) + (draws[0].astype(np.int64) << 4 | draws[6] >> 12))
    moment -= row << PLACE_BITS
    time: I64 = since[row] + ((traded[starts] - since)[row] * moment >> PLACE_BITS)
    return time if hours is None else hours.days.clock(time)


def _wide(time: I64, spread: float, draws: Draws, hours: Hours | None) -> I64:
    """Give the spread of each quote, in ticks."""
    wide: I64 = np.maximum(1, np.floor(spread + draws[1] / 65536)).astype(np.int64)
    if hours is None:
        return wide
    factor = hours.factor(time)
    more = max(spread - 1, _LEAST) * factor * exponentials(draws[1]) / EXPONENTIAL_ONE
    strained: I64 = 1 + np.floor(more + draws[7] / 65536).astype(np.int64)
    return np.where(factor > 0, strained, wide)


def _placed(
    trades: Traded, starts: I64, row: I64, way: F64, wide: I64, draws: Draws
) -> tuple[I64, I64]:
    """Put quotes on the tick grid: the last of each run around its trades, the others on the way from those before."""
    price = trades.price
    low, high = np.minimum.reduceat(price, starts), np.maximum.reduceat(price, starts)
    last = np.diff(row, append=-1) != 0
    wide = np.where(last, np.maximum(wide, (high - low)[row]), wide)
    room = wide - (high - low)[row]
    side = draws[2]
    inside = (room + 1) * draws[3].astype(np.int64) >> 16
    around = low[row] - np.where(side & _INSIDE, np.where(side & 1, room, 0), inside)
    if trades.mark is not None:
        around = np.where((trades.mark != 0)[starts][row], low[row] - wide // 2, around)
    before = price[np.maximum(0, starts - 1)][row]
    middle = before + way * (price[starts][row] - before)
    free = np.floor(middle - wide / 2 + draws[3] / 65536).astype(np.int64)
    bid = np.maximum(1, np.where(last, around, free))
    return bid, bid + wide
