"""
The past: bars, trades and quotes from before the market started, so that a chart is full in its first second.

It is made from the top down. Days are walked back from the first price (:mod:`ticker.days`), for all symbols at once, so that
the figures of the day under way at the start are there from the beginning. What somebody asks for is refined from them
(:mod:`ticker.refine`), one symbol at a time: a day to hours, these to five minutes, to minutes, to seconds, and the last
seconds to the trades of the :mod:`~ticker.prelude`. So all intervals agree with each other, and with the snapshot.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ticker.batch import INTERVALS, BarTable, TickBatch
from ticker.days import DAY_S, Days, Figures
from ticker.hours import SessionShape
from ticker.noise import EXPONENTIAL_ONE, Stream, bits, exponentials
from ticker.prelude import Standing, Traded, prelude, seconds_of, traded
from ticker.refine import refine, share_out
from ticker.shape import DayShape
from ticker.spans import Spans, halved
from ticker.universe import Universe

__all__ = ["Past"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_REACH = 5_000
"""How many intervals of each length that is shorter than a day bars go back, of those in which the market was open."""

_LENGTHS = sorted(INTERVALS.values(), reverse=True)
_UNEVEN = {3_600: 0.15, 300: 0.2, 60: 0.25, 1: 1.0}
"""Relative deviation of the trades of one part from those of another, beside the shape of the day, by length."""


class Past:
    """
    Bars, and the newest trades and quotes, from before the start.

    Args:
        seed: the market's seed.
        universe: what is traded.
        start_us: Unix time of the market's start, in microseconds.
        standing: price, bid and ask of each symbol at the start, in ticks, shape (3, symbols).
        flow: events a second and symbol, before each instrument's activity, and the fraction of them that are trades.
        shape: the shape of a day of the market; None: all minutes are alike.
    """

    def __init__(
        self,
        seed: int,
        universe: Universe,
        start_us: int,
        standing: I64,
        *,
        flow: tuple[float, float],
        shape: DayShape | SessionShape | None,
    ) -> None:
        self._seed, self._universe, self._start = seed, universe, start_us // 1_000_000
        self._standing = standing
        self._rate, self._trade_share = rate, trade_share = flow
        # Where nothing trades, the quotes take the place of the trades on the way of the price.
        self._days = Days(
            seed,
            universe,
            standing[0],
            self._start,
            trade_rate=rate * (trade_share or 1.0),
            shape=shape,
        )

    def figures(self) -> Figures:
        """Give the day on which the market starts, up to then, of all symbols."""
        if self._trade_share:
            return self._days.figures()
        price = self._standing[0]
        return Figures(price, price, price, price, np.zeros_like(price))

    def events(self, symbol: int) -> TickBatch:
        """Give the trades and quotes of a symbol just before the start, in the order of time; see :mod:`ticker.prelude`."""
        bid, ask = self._standing[1:, symbol].tolist()
        seconds = self._seconds(symbol)
        return prelude(
            Stream(self._seed, "prelude", [self._universe.symbols[symbol]]),
            symbol,
            self._universe[symbol],
            self._traded(symbol, self._spans(symbol, 1, seconds)),
            (seconds * 1_000_000, self._start * 1_000_000),
            trade_share=self._trade_share,
            standing=Standing(bid, ask),
        )

    def bars(self, symbol: int, interval: str, limit: int) -> BarTable:
        """
        Give the last bars of the past, oldest first, at most ``limit``.

        The last one is of the interval that is under way at the start, as far as that is gone, where it has a trade.

        Cost: some milliseconds.
        """
        length = INTERVALS[interval]
        if limit <= 0 or not self._trade_share:
            return BarTable.empty()
        for back in (limit, _REACH):
            since = self._days.since(back * length) // length * length
            spans = self._spans(symbol, length, since)
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
            notional=self._notional(symbol, spans, length),
            trades=spans.trades,
        )

    def _seconds(self, symbol: int) -> int:
        """Give the second from which on the trades are known one by one."""
        return self._start - seconds_of(self._rate * self._universe[symbol].activity)

    def _reach(self, length: int) -> int:
        """Give the second from which on there are intervals of a length: a start of the longer interval."""
        longer = _LENGTHS[_LENGTHS.index(length) - 1]
        return self._days.since(_REACH * length) // longer * longer

    def _spans(self, symbol: int, length: int, since: int) -> Spans:
        """Give the intervals of a length that have a trade, oldest first, from a time on, or a little earlier."""
        days = self._start // DAY_S - since // DAY_S + 1
        spans = self._days.of(symbol, min(self._days.reach, days))
        for longer, shorter in pairwise(_LENGTHS[: _LENGTHS.index(length) + 1]):
            begin = max(since, self._reach(shorter))
            spans = self._parts(symbol, spans.take(spans.start > begin - longer), longer, shorter)
        return spans.take(spans.start >= since)

    def _parts(self, symbol: int, spans: Spans, longer: int, shorter: int) -> Spans:
        """Refine intervals to shorter ones."""
        start = spans.start[:, None] + np.arange(0, longer, shorter)
        key = Stream(self._seed, f"past.{shorter}", [self._universe.symbols[symbol]]).keys
        counter = 2 * (start // shorter)[..., None] + np.arange(2)
        draws = halved(bits(key, counter.astype(np.uint64)))
        uneven = 1 + _UNEVEN[shorter] * (exponentials(draws[0]) / EXPONENTIAL_ONE - 1)
        edges = share_out(
            spans.trades, self._days.busy(start, shorter) * uneven, draws[7, :, 0] / 65536
        )
        variance = self._days.step_variance(symbol, spans)
        parts = refine(spans, start, edges, draws, variance).flat()
        return parts.take(parts.trades > 0)

    def _traded(self, symbol: int, seconds: Spans) -> Traded:
        instrument = self._universe[symbol]
        stream = Stream(self._seed, "prelude.trade", [instrument.symbol])
        variance = self._days.step_variance(symbol, seconds)
        return traded(stream, seconds, variance, instrument.round_lot)

    def _notional(self, symbol: int, spans: Spans, length: int) -> F64:
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
        else:
            shorter = _LENGTHS[_LENGTHS.index(length) + 1]
            known = spans.start >= self._reach(shorter)
            parts = self._parts(symbol, spans.take(known), length, shorter)
            start = parts.start
            found = self._notional(symbol, parts, shorter)
        row = np.searchsorted(spans.start, start, "right") - 1
        return np.where(known, np.bincount(row, found, len(spans.start)), typical)
