"""
The past: bars, trades and quotes from before the market started, so that a chart is full in its first second.

Days are walked back from the first price (:mod:`ticker.backfill.days`), each is a walk of hours or five minutes (:mod:`ticker.backfill.intraday`), and
what is longer is made of what is shorter: the figures of the day that is under way at the start too, of all symbols, before anybody
asks. What is shorter than five minutes is refined from them (:mod:`ticker.backfill.refine`) when somebody does, one symbol at a time: to
minutes, to seconds, and the last seconds to the trades of the :mod:`~ticker.backfill.prelude`. So all intervals agree with each other, and with the snapshot.
"""

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.days import DAY_S, Days
from ticker.backfill.intraday import FIVE_S, HOUR_S, Intraday
from ticker.backfill.prelude import prelude, seconds_of, traded
from ticker.backfill.quoting import Standing, Traded
from ticker.backfill.shorter import MINUTE_S, Shorter
from ticker.backfill.sizes import Movers
from ticker.backfill.spans import Spans, gathered
from ticker.batch import INTERVALS, BarTable, TickBatch
from ticker.ladder import Ladders
from ticker.model import Model
from ticker.randomness.noise import Stream
from ticker.universe import Universe

__all__ = ["KEPT", "REACH", "Figures", "Past"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

REACH = 5_000
"""How many intervals of each length that is shorter than a day bars go back, of those in which the market was open."""

KEPT = 16
"""How many answers are kept: at most 6 MB."""

_AT_ONCE = 1 << 14
"""The most five minutes made at once: what fits into a cache is made faster."""


class Figures(NamedTuple):
    """A day so far, by symbol; prices in ticks. Without a trade, ``volume`` is 0 and its prices mean nothing."""

    prev_close: I64
    open: I64
    high: I64
    low: I64
    volume: I64


class Past:
    """
    Bars, and the newest trades and quotes, from before the start.

    Args:
        seed: the market's seed.
        universe: what is traded.
        start_us: Unix time of the market's start, in microseconds.
        standing: price, bid and ask of each symbol at the start, in ticks, shape (3, symbols).
        flow: events a second and symbol, before each instrument's activity, and the fraction of them that are trades.
        model: what the market is made of: the past has its shape of the day, and is as wild.
        movers: which trades these are, where not all of them move prices; volume is in round lots then.
        cents: whether prices from a dollar on are whole cents.
    """

    def __init__(
        self,
        seed: int,
        universe: Universe,
        start_us: int,
        standing: I64,
        *,
        flow: tuple[float, float],
        model: Model,
        movers: Movers | None = None,
        cents: bool = False,
    ) -> None:
        self._seed, self._universe, self._start = seed, universe, start_us // 1_000_000
        self._standing = standing
        self._ladders = Ladders(seed, universe, cents=cents)
        self._rate, self._trade_share = rate, trade_share = flow
        # Where nothing trades, the quotes take the place of the trades on the way of the price.
        self._days = Days(
            seed,
            universe,
            standing[0],
            self._start,
            trade_rate=rate * (trade_share or 1.0),
            shape=model.shape,
            wild=model.wildness,
            movers=movers,
        )
        self._intraday = Intraday(seed, universe, self._days, model.wildness)
        self._made = lru_cache(KEPT)(self._bars)
        self._today: Figures | None = None
        self._shorts = Shorter(seed, universe, self._days, model.wildness)

    def figures(self) -> Figures:
        """Give the day on which the market starts, up to then, of all symbols."""
        if self._today is None:
            self._today = self._day_so_far()
        return self._today

    def _day_so_far(self) -> Figures:
        price = self._standing[0]
        if not self._trade_share:
            return Figures(price, price, price, price, np.zeros_like(price))
        days, before = self._days.today()
        high, low = days.high.copy(), days.low.copy()
        first, parts = self._fives_so_far()
        traded_on = np.flatnonzero(days.trades)
        at_once = max(1, _AT_ONCE // parts) if parts else 1
        for row in range(0, len(traded_on), at_once):
            symbols = traded_on[row : row + at_once]
            fives = self._intraday.of(symbols, days.take(symbols), FIVE_S, parts, first=first)
            there = fives.trades > 0
            high[symbols] = np.where(there, fives.high, 0).max(axis=1)
            low[symbols] = np.where(there, fives.low, np.iinfo(np.int64).max).min(axis=1)
        return Figures(before, days.open, high, low, days.volume)

    def _fives_so_far(self) -> tuple[int, int]:
        """Give the number of the first five minutes of the day of the start in which something may happen, and how many there are."""
        return 0, -(-(self._start % DAY_S) // FIVE_S)

    def events(self, symbol: int) -> TickBatch:
        """Give the trades and quotes of a symbol just before the start, in the order of time; see :mod:`ticker.backfill.prelude`."""
        bid, ask = self._standing[1:, symbol].tolist()
        seconds = self._seconds(symbol)
        spans = self._shorter(symbol, self._from(symbol, seconds), 1, seconds)
        return prelude(
            Stream(self._seed, "prelude", [self._universe.symbols[symbol]]),
            symbol,
            self._universe[symbol],
            self._traded(symbol, spans),
            (seconds * 1_000_000, self._start * 1_000_000),
            trade_share=self._trade_share,
            standing=Standing(bid, ask),
            ladders=self._ladders,
        )

    def bars(self, symbol: int, interval: str, limit: int) -> BarTable:
        """
        Give the last bars of the past, oldest first, at most ``limit``.

        The last one is of the interval that is under way at the start, as far as that is gone, where it has a trade.

        Cost: 10 to 30 ms; nothing, if it was among the newest that were asked for: who polls asks for the same again.
        """
        return self._made(symbol, interval, limit)

    def _bars(self, symbol: int, interval: str, limit: int) -> BarTable:
        length = INTERVALS[interval]
        if limit <= 0 or not self._trade_share:
            return BarTable.empty()
        for back in sorted({min(limit, REACH), REACH}):
            since = self._days.since(back * length) // length * length
            fives = self._from(symbol, since)
            if length < FIVE_S:
                spans = self._shorter(symbol, fives, length, since)
            else:
                spans = gathered(fives, length)
            if len(spans.start) >= limit:
                break
        spans = spans.take(slice(-limit, None))
        return BarTable(
            symbol=np.full(len(spans.start), symbol, dtype=np.int32),
            start=spans.start * 1_000_000,
            open=spans.open,
            high=spans.high,
            low=spans.low,
            close=spans.close,
            volume=spans.volume,
            notional=self._notional(symbol, spans, length, fives),
            trades=spans.trades,
        )

    def _seconds(self, symbol: int) -> int:
        """Give the second from which on the trades are known one by one."""
        return self._start - seconds_of(self._rate * self._universe[symbol].activity)

    def _reach(self, length: int) -> int:
        """Give the second from which on there are intervals of a length: a start of the longer one that they are parts of."""
        longer = {1: MINUTE_S, MINUTE_S: FIVE_S}.get(length, DAY_S)
        return self._days.since(REACH * length) // longer * longer

    def _from(self, symbol: int, since: int) -> Spans:
        """
        Give what is known of a symbol from a time on, oldest first, without what has no trade.

        These are the five minutes, further back the hours, and further back than these the days.
        """
        number = min(self._days.reach, self._start // DAY_S - since // DAY_S + 1)
        days = self._days.of(symbol, number)
        begins = [self._reach(length) for length in (HOUR_S, FIVE_S)]
        cuts = [0, *np.searchsorted(days.start, begins).tolist(), len(days.start)]
        parts = []
        for length, (first, last) in zip((DAY_S, HOUR_S, FIVE_S), pairwise(cuts), strict=True):
            some = days.take(slice(first, last))
            parts.append(self._intraday.of(np.full(last - first, symbol), some, length).flat())
        spans = Spans.join(parts)
        return spans.take((spans.trades > 0) & (spans.start > since - FIVE_S))

    def _shorter(self, symbol: int, fives: Spans, length: int, since: int) -> Spans:
        """Give the minutes, or seconds, that have a trade, oldest first, from a time on."""
        begin = max(since, self._reach(MINUTE_S))
        spans = self._shorts.parts(
            symbol, fives.take(fives.start > begin - FIVE_S), FIVE_S, MINUTE_S
        )
        if length == 1:
            begin = max(since, self._reach(1))
            spans = self._shorts.parts(
                symbol, spans.take(spans.start > begin - MINUTE_S), MINUTE_S, 1
            )
        return spans.take(spans.start >= since)

    def _traded(self, symbol: int, seconds: Spans) -> Traded:
        instrument = self._universe[symbol]
        stream = Stream(self._seed, "prelude.trade", [instrument.symbol])
        return traded(stream, seconds, instrument.round_lot)

    def _notional(self, symbol: int, spans: Spans, length: int, fives: Spans) -> F64:
        """
        Give the sum of price times size of some intervals: those of the shortest ones that there are, summed.

        Bars without known shorter ones count as traded at their typical price.
        """
        typical = np.rint((spans.high + spans.low + spans.close) / 3 * spans.volume)
        if length == 1:
            known = spans.start >= self._seconds(symbol)
            trades = self._traded(symbol, spans.take(known))
            start = trades.time // 1_000_000
            found = trades.size.astype(np.float64) * trades.price
        elif length > FIVE_S:
            known = np.ones(len(spans.start), dtype=bool)
            begin = int(spans.start[0]) if len(spans.start) else self._start
            parts = fives.take(fives.start >= begin)
            start, found = parts.start, self._notional(symbol, parts, FIVE_S, fives)
        else:
            longer, shorter = (FIVE_S, MINUTE_S) if length == FIVE_S else (MINUTE_S, 1)
            known = spans.start >= self._reach(shorter)
            parts = self._shorts.parts(symbol, spans.take(known), longer, shorter)
            start, found = parts.start, self._notional(symbol, parts, shorter, fives)
        row = np.searchsorted(spans.start, start, "right") - 1
        return np.where(known, np.bincount(row, found, len(spans.start)), typical)
