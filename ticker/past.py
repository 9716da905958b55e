"""
The past: bars from before the market started, so that a chart is full in its first second.

The walk is run backwards from the first price, one symbol at a time and only when somebody asks. Near the start it
takes steps of a second, further back of a minute, an hour, a day; a bar is put together from whatever steps it spans.
The last seconds are those of the :mod:`~ticker.prelude`, and their bars the aggregation of its trades. Within any other step, high and low are those of a Brownian bridge (the maximum of a bridge from a to b with variance s² is
(a + b + sqrt((b - a)² - 2 s² log U)) / 2: Karatzas and Shreve, "Brownian Motion and Stochastic Calculus", 2.8).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.batch import INTERVALS, TRADES, BarTable, TickBatch
from ticker.draws import mean_trade_lots, poisson
from ticker.instruments import MAX_TICKS, Instrument
from ticker.noise import EXPONENTIAL_ONE, Stream, exponentials, halves
from ticker.prelude import Standing, prelude, seconds_of
from ticker.walk import MARKET_LOADING, OWN_LOADING, RANGE, SECTOR_LOADING, TRADING_YEAR_S

__all__ = ["MAX_PAST", "Past"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

MAX_PAST = 20_000
"""At least as many bars as there are of any interval."""

_REACH = {1: 3_600, 60: 2_880, 3_600: 1_440, 86_400: 500}
"""How many steps of each length (seconds) to go back, at least."""

_FAR_REACH = {1: 3_600, 60: 11_520, 3_600: 3_600, 86_400: 750}
"""The same where nights and holidays are left out afterwards."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps of the past, oldest first; prices in ticks."""

    start: I64  # seconds
    open: I64
    high: I64
    low: I64
    close: I64
    volume: I64
    notional: F64
    trades: I64

    def upto(self, count: int) -> "_Steps":
        """Give the oldest ones."""
        return _Steps(*(getattr(self, name)[:count] for name in _Steps.__slots__))


class Past:
    """
    Bars, and the newest trades and quotes, from before the start.

    Args:
        seed: the market's seed.
        start_us: Unix time of the market's start, in microseconds.
        rate: events a second and symbol, before each instrument's activity.
        trade_share: the fraction of events that are trades.
        far: whether to go back further, as nights and holidays are left out afterwards.
    """

    def __init__(
        self,
        seed: int,
        start_us: int,
        rate: float,
        trade_share: float,
        *,
        far: bool = False,
    ) -> None:
        self._reach = _FAR_REACH if far else _REACH
        self._seed, self._start = seed, start_us // 1_000_000
        self._rate, self._trade_share = rate, trade_share

    def events(self, symbol: int, instrument: Instrument, standing: Standing) -> TickBatch:
        """
        Give the trades and quotes just before the start, in the order of time; see :mod:`ticker.prelude`.

        Args:
            symbol: the symbol id, to write into the rows.
            instrument: the symbol's static data.
            standing: what stands at the start.
        """
        rate = self._rate * instrument.activity
        return prelude(
            self._seed,
            symbol,
            instrument,
            self._path(instrument, standing.price, 1, seconds_of(rate)),
            self._start * 1_000_000,
            rate=rate,
            trade_share=self._trade_share,
            standing=standing,
        )

    def bars(
        self, symbol: int, instrument: Instrument, standing: Standing, interval: str, limit: int
    ) -> BarTable:
        """
        Give the last bars of the past, oldest first: whole intervals only, at most ``limit``.

        Args:
            symbol: the symbol id, to write into the rows.
            instrument: the symbol's static data.
            standing: what stands at the start.
            interval: one of :data:`~ticker.batch.INTERVALS`.
            limit: how many.

        Cost: a few milliseconds.
        """
        length = INTERVALS[interval]
        steps = self._walk_back(instrument, standing, length)
        end = self._start // length * length
        keep = (steps.start < end) & (steps.trades > 0)
        number = steps.start[keep] // length
        edges = (
            np.flatnonzero(np.diff(number, prepend=-1))[-limit:]
            if limit > 0
            else np.empty(0, np.intp)
        )
        if not len(edges):
            return BarTable.empty()
        rows = slice(edges[0], None)
        at = edges - edges[0]
        ends = np.append(at[1:], len(number) - edges[0]) - 1
        high, low, close = (c[keep][rows] for c in (steps.high, steps.low, steps.close))
        volume = steps.volume[keep][rows]
        return BarTable(
            symbol=np.full(len(at), symbol, dtype=np.int32),
            start=number[rows][at] * length * 1_000_000,
            open=steps.open[keep][rows][at],
            high=np.maximum.reduceat(high, at),
            low=np.minimum.reduceat(low, at),
            close=close[ends],
            volume=np.add.reduceat(volume, at),
            notional=np.add.reduceat(steps.notional[keep][rows], at),
            trades=np.add.reduceat(steps.trades[keep][rows], at),
        )

    def _walk_back(self, instrument: Instrument, standing: Standing, longest: int) -> _Steps:
        """Walk back with ever longer steps, none longer than ``longest`` seconds."""
        end, price = self._start, float(standing.price)
        events = self.events(0, instrument, standing)
        found: list[_Steps] = [_second_steps(events[events.channel == TRADES])]
        newest = seconds_of(self._rate * instrument.activity)
        lengths = [length for length in self._reach if length <= longest]
        for length in lengths:
            following = next((n for n in self._reach if n > length), length)
            count = self._reach[length] + (end // length) % (following // length)
            path = self._path(instrument, price, length, count)
            steps = self._level(instrument, path, length, end)
            # What the trades of the newest seconds tell counts for more.
            found.append(steps.upto(count - newest) if length == 1 else steps)
            end, price = int(steps.start[0]), float(steps.open[0])
        columns = (
            np.concatenate([getattr(s, name) for s in reversed(found)]) for name in _Steps.__slots__
        )
        return _Steps(*columns)

    def _path(self, instrument: Instrument, price: float, length: int, count: int) -> F64:
        """Walk ``count`` steps of ``length`` seconds back from ``price``; oldest first, shape (count + 1,)."""
        purpose = f"past.{length}"
        own = Stream(self._seed, purpose, [instrument.symbol])
        z = OWN_LOADING * own.normals(0, count)[0]
        z += MARKET_LOADING * Stream(self._seed, purpose + ".market", [""]).normals(0, count)[0]
        z += (
            SECTOR_LOADING
            * Stream(self._seed, purpose + ".sector", [instrument.sector]).normals(0, count)[0]
        )
        sigma = instrument.volatility * math.sqrt(length / TRADING_YEAR_S)
        # Newest first; a step back can't take more than half of the price.
        path = np.clip(price * np.cumprod(np.maximum(0.5, 1 + sigma * z)), 1.0, RANGE * MAX_TICKS)
        return np.concatenate(([price], path))[::-1]

    def _level(self, instrument: Instrument, path: F64, length: int, end: int) -> _Steps:
        """Give the steps of ``length`` seconds along a path to ``end``."""
        opened, close = path[:-1], path[1:]
        count = len(opened)
        sigma = instrument.volatility * math.sqrt(length / TRADING_YEAR_S)
        draws = halves(
            Stream(self._seed, f"past.{length}.shape", [instrument.symbol]).words(0, count)[0]
        )[::-1]
        spread = 2 * (sigma * opened) ** 2 * (exponentials(draws[:, :2]) / EXPONENTIAL_ONE).T
        reach = np.sqrt((close - opened) ** 2 + spread)
        mean = self._rate * self._trade_share * instrument.activity * length
        trades = poisson(np.full(count, mean), (draws[:, 2] + 0.5) / 65536)
        lots = mean_trade_lots() * (0.6 + 0.8 * draws[:, 3] / 65536)
        first, last = np.rint(opened).astype(np.int64), np.rint(close).astype(np.int64)
        high = np.rint((opened + close + reach[0]) / 2).astype(np.int64)
        low = np.maximum(1, np.rint((opened + close - reach[1]) / 2)).astype(np.int64)
        volume = np.maximum(trades, np.rint(trades * lots * instrument.round_lot)).astype(np.int64)
        notional = np.rint((high + low + last) / 3 * volume)
        start = end - length * np.arange(count, 0, -1)
        return _Steps(start, first, high, low, last, volume, notional, trades)


def _second_steps(trades: TickBatch) -> _Steps:
    """Aggregate trades, in the order of time, to seconds."""
    second, price, size = trades.time // 1_000_000, trades.price, trades.size
    at = np.flatnonzero(np.diff(second, prepend=-1))
    ends = np.append(at[1:], len(second))
    if not len(at):
        none = np.empty(0, np.int64)
        return _Steps(none, none, none, none, none, none, np.empty(0), none)
    return _Steps(
        second[at],
        price[at],
        np.maximum.reduceat(price, at),
        np.minimum.reduceat(price, at),
        price[ends - 1],
        np.add.reduceat(size, at),
        np.add.reduceat(price * size.astype(np.float64), at),
        ends - at,
    )
