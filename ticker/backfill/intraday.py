"""
The parts of days before a market started: a walk from each day's first price to its last one.

How busy and how volatile they are is a cascade, of hours and of five minutes (Mandelbrot, Fisher, Calvet, "A multifractal model of
asset returns", 1997), beside the shape of the day. A part of it is the market's own, and so are parts of the price's steps,
so that symbols move together within days as well. Longer bars are made of these, shorter ones are :mod:`ticker.backfill.refine`'s.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.bridge import Shared, free
from ticker.backfill.days import DAY_S, MOST_TICKS, Days
from ticker.backfill.refine import share_out, share_variance, share_volume
from ticker.backfill.spans import Spans, halved
from ticker.processes.walk import MARKET_LOADING, OWN_LOADING, SECTOR_LOADING
from ticker.randomness.draws import exp
from ticker.randomness.noise import (
    EXPONENTIAL_ONE,
    NORMAL_ONE,
    Stream,
    bits,
    exponentials,
    halves,
    normals,
)
from ticker.universe import Universe

__all__ = ["FIVE_S", "HOUR_S", "Intraday", "Mood"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]
Draws = NDArray[np.uint16]

FIVE_S = 300
HOUR_S = 3_600

_UNEVEN = 0.2
"""Relative deviation of the trades of one part from those of another, beside all else."""
_WILD = {HOUR_S: 0.35, FIVE_S: 0.3, 60: 0.3}
"""Deviation of the logarithm of the volatility of one part from that of another, by length."""
_COMMON = 0.3
"""The part of its variance that is the market's own."""


class Mood:
    """
    What the intervals of a length have in common, of all symbols or of those of a sector.

    Args:
        seed: the market's seed.
        universe: what is traded.
        length: of an interval, in seconds.
        wild: how much the volatility changes; 1: as that of the full model, 0: not at all.
    """

    def __init__(self, seed: int, universe: Universe, length: int, wild: float) -> None:
        names = sorted({i.sector for i in universe})
        self._sector = np.array([names.index(i.sector) for i in universe], dtype=np.intp)
        self._market = Stream(seed, f"past.market.{length}", [""]).keys
        self._sectors = Stream(seed, f"past.sector.{length}", names).keys
        self._deviation = wild * _WILD[length]

    def level(self, number: U64, own: Draws) -> F64:
        """Give the logarithm of the volatility of some intervals, relative to others; ``own``: a symbol's own draws."""
        market = normals(halves(bits(self._market, number))[..., 1])
        drawn = math.sqrt(_COMMON) * market + math.sqrt(1 - _COMMON) * normals(own)
        level: F64 = self._deviation / NORMAL_ONE * drawn
        return level

    def news(self, symbols: I64, number: U64) -> Shared:
        """Give what steps have of market and sector in some intervals, a row a symbol."""
        keys = self._sectors[self._sector[symbols]][:, None]
        market = normals(halves(bits(self._market, number))[..., 0])
        sector = normals(halves(bits(keys, number))[..., 0])
        return OWN_LOADING, (MARKET_LOADING * market + SECTOR_LOADING * sector) / NORMAL_ONE


class Intraday:
    """
    The hours, or the five minutes, of days.

    Args:
        seed: the market's seed.
        universe: what is traded.
        days: tells how much happens when.
        wild: how much the volatility changes; 1: as that of the full model, 0: not at all.
    """

    def __init__(self, seed: int, universe: Universe, days: Days, wild: float) -> None:
        self._days = days
        lengths = (DAY_S, HOUR_S, FIVE_S)
        self._keys = {
            length: Stream(seed, f"past.{length}", universe.symbols).keys for length in lengths
        }
        self._hours = Stream(seed, "past.hour", universe.symbols).keys
        self._moods = {length: Mood(seed, universe, length, wild) for length in (HOUR_S, FIVE_S)}

    def of(
        self, symbols: I64, days: Spans, length: int, parts: int = 0, *, first: int = 0
    ) -> Spans:
        """
        Give parts of some days: shape (days, parts).

        Args:
            symbols: whose each day is.
            days: each with a trade.
            length: of a part in seconds: five minutes, an hour, or a day.
            parts: how many; 0: all of the day.
            first: the number of the first one; in those before, and after the last one, nothing happens.
        """
        start = days.start[:, None] + length * (first + np.arange(parts or DAY_S // length))
        number: U64 = (start // length).astype(np.uint64)
        draws, level, weights = self.weights(symbols, start, length)
        edges = share_out(days.trades, weights, draws[3, :, 0] / 65536)
        count = np.diff(edges, axis=1)
        wild = self._days.variance(start, length) * level * level
        variance = share_variance(days, count, wild)
        mood = self._moods.get(length)
        news = mood.news(symbols, number) if mood else None
        prices = free(days, edges, variance, draws[4:], news, MOST_TICKS)
        volume = share_volume(days.volume, count, draws[1])
        return Spans(start, *prices, volume, count, variance)

    def weights(self, symbols: I64, start: I64, length: int) -> tuple[Draws, F64, F64]:
        """Give draws for some parts, a row a symbol, how volatile each is, and how much of a day happens in it."""
        number: U64 = (start // length).astype(np.uint64)
        counter: U64 = number[..., None] * np.uint64(3) + np.arange(3).astype(np.uint64)
        draws = halved(bits(self._keys[length][symbols][:, None, None], counter))
        level = self._level(symbols, number, length, draws[2])
        uneven = 1 + _UNEVEN * (exponentials(draws[0]) / EXPONENTIAL_ONE - 1)
        return draws, level, self._days.busy(start, length) * level * uneven

    def _level(self, symbols: I64, number: U64, length: int, own: Draws) -> F64:
        """Tell how volatile some parts are, relative to others."""
        if length == DAY_S:
            return np.ones(number.shape)
        hour = number // np.uint64(HOUR_S // length)
        of_hour = halves(bits(self._hours[symbols][:, None], hour))[..., 0]
        level = self._moods[HOUR_S].level(hour, of_hour)
        if length == FIVE_S:
            level += self._moods[FIVE_S].level(number, own)
        return exp(level)
