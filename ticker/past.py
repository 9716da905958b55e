"""
The past: bars from before the market started, so that a chart is full in its first second.

The walk is run backwards from the first price, one symbol at a time and only when somebody asks. Near the start it
takes steps of a second, further back of a minute, an hour, a day; a bar is put together from whatever steps it spans.
Within a step, high and low are those of a Brownian bridge (the maximum of a bridge from a to b with variance s² is
(a + b + sqrt((b - a)² - 2 s² log U)) / 2: Karatzas and Shreve, "Brownian Motion and Stochastic Calculus", 2.8).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.batch import INTERVALS, BarTable
from ticker.draws import mean_trade_lots, poisson
from ticker.instruments import MAX_TICKS, Instrument
from ticker.noise import EXPONENTIAL_ONE, Stream, exponentials, halves
from ticker.walk import MARKET_LOADING, OWN_LOADING, RANGE, SECTOR_LOADING, TRADING_YEAR_S

__all__ = ["Past"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_REACH = {1: 3_600, 60: 2_880, 3_600: 1_440, 86_400: 500}
"""How many steps of each length (seconds) to go back, at least."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """Steps of the past, oldest first; prices in ticks."""

    start: I64  # seconds
    open: I64
    high: I64
    low: I64
    close: I64
    volume: I64
    trades: I64


class Past:
    """
    Bars from before the start.

    Args:
        seed: the market's seed.
        start_us: Unix time of the market's start, in microseconds.
        rate: trades a second and symbol, before each instrument's activity.
    """

    def __init__(self, seed: int, start_us: int, rate: float) -> None:
        self._seed, self._start, self._rate = seed, start_us // 1_000_000, rate

    def bars(
        self, symbol: int, instrument: Instrument, first: float, interval: str, limit: int
    ) -> BarTable:
        """
        Give the last bars of the past, oldest first: whole intervals only, at most ``limit``.

        Args:
            symbol: the symbol id, to write into the rows.
            instrument: the symbol's static data.
            first: the first price of the market, in ticks.
            interval: one of :data:`~ticker.batch.INTERVALS`.
            limit: how many.

        Cost: a few milliseconds.
        """
        length = INTERVALS[interval]
        steps = self._walk_back(instrument, first, length)
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
        middle = (high + low + close) / 3
        return BarTable(
            symbol=np.full(len(at), symbol, dtype=np.int32),
            start=number[rows][at] * length * 1_000_000,
            open=steps.open[keep][rows][at],
            high=np.maximum.reduceat(high, at),
            low=np.minimum.reduceat(low, at),
            close=close[ends],
            volume=np.add.reduceat(volume, at),
            notional=np.add.reduceat(np.rint(middle * volume), at),
            trades=np.add.reduceat(steps.trades[keep][rows], at),
        )

    def _walk_back(self, instrument: Instrument, price: float, longest: int) -> _Steps:
        """Walk back with ever longer steps, none longer than ``longest`` seconds."""
        end = self._start
        found: list[_Steps] = []
        lengths = [length for length in _REACH if length <= longest]
        for length in lengths:
            following = next((n for n in _REACH if n > length), length)
            count = _REACH[length] + (end // length) % (following // length)
            steps = self._level(instrument, price, length, end, count)
            found.append(steps)
            end, price = int(steps.start[0]), float(steps.open[0])
        columns = (
            np.concatenate([getattr(s, name) for s in reversed(found)]) for name in _Steps.__slots__
        )
        return _Steps(*columns)

    def _level(
        self, instrument: Instrument, price: float, length: int, end: int, count: int
    ) -> _Steps:
        """Walk ``count`` steps of ``length`` seconds back from ``price`` at ``end``."""
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
        close = np.concatenate(([price], path[:-1]))[::-1]
        opened = path[::-1]
        draws = halves(
            Stream(self._seed, purpose + ".shape", [instrument.symbol]).words(0, count)[0]
        )[::-1]
        spread = 2 * (sigma * opened) ** 2 * (exponentials(draws[:, :2]) / EXPONENTIAL_ONE).T
        reach = np.sqrt((close - opened) ** 2 + spread)
        mean = self._rate * instrument.activity * length
        trades = poisson(np.full(count, mean), (draws[:, 2] + 0.5) / 65536)
        lots = mean_trade_lots() * (0.6 + 0.8 * draws[:, 3] / 65536)
        return _Steps(
            start=end - length * np.arange(count, 0, -1),
            open=np.rint(opened).astype(np.int64),
            high=np.rint((opened + close + reach[0]) / 2).astype(np.int64),
            low=np.maximum(1, np.rint((opened + close - reach[1]) / 2)).astype(np.int64),
            close=np.rint(close).astype(np.int64),
            volume=np.maximum(trades, np.rint(trades * lots * instrument.round_lot)).astype(
                np.int64
            ),
            trades=trades,
        )
