"""
The days before a market started, and its first day up to the start: walked back from the first price.

Days are of universal time, as bars of ``1d`` are, and the market was always open, or in the regular sessions of
:mod:`ticker.trading_day.hours`: then there are nights between them, over which the price moves without a trade. Minutes are as busy and as
wild as the model's day has them (:mod:`ticker.trading_day.shape`), days as the exponential of a slow Gaussian process and of double
exponential shocks make them: the tails of their volume are a power law (Gopikrishnan, Plerou, Gabaix, Stanley, Phys. Rev. E 62,
2000), and their returns are as wild as they are busy (Clark, Econometrica 41, 1973). The slow process forgets as a power law does
(Ding, Granger, Engle, J. Empirical Finance 1993), and falls drive it (Black 1976). The day of the start is as any is on
average, so that the market goes on as it was.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.sizes import Movers
from ticker.backfill.spans import Spans
from ticker.instruments import MAX_TICKS
from ticker.processes.walk import MARKET_LOADING, OWN_LOADING, RANGE, SECTOR_LOADING, TRADING_YEAR_S
from ticker.randomness.draws import exp, mean_trade_lots, poisson
from ticker.randomness.noise import (
    EXPONENTIAL_ONE,
    NORMAL_ONE,
    Stream,
    bits,
    exponentials,
    halves,
    normals,
)
from ticker.trading_day.hours import SessionBusyness, SessionShape, busyness
from ticker.trading_day.shape import DAY_S as TRADING_DAY_S
from ticker.trading_day.shape import Busyness, DayShape
from ticker.universe import Universe

__all__ = ["DAY_S", "MOST_TICKS", "Days"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Draws = NDArray[np.uint16]

DAY_S = 86_400

MOST_TICKS = round(RANGE * MAX_TICKS)
"""The highest price that there may be."""

_SLOW_DAYS = 60
_SLOW, _SHOCK, _MARKET_SHOCK = 0.4, 0.2, 0.12
"""Of the logarithm of how busy, and how volatile, a day is: deviation of the slow part, scales of the shocks (tail exponent 1 / 0.2)."""
_FADING = 0.6
"""The exponent with which the slow part forgets a day."""
_LEVERAGE = -0.35
"""Correlation of what drives the slow part with the day's return."""


class Days:
    """
    The days up to the start of a market.

    Args:
        seed: the market's seed.
        universe: what is traded.
        price: the first price of each symbol, in ticks.
        start: Unix time of the market's start, in seconds.
        trade_rate: trades a second and symbol, before each instrument's activity.
        shape: the shape of a day of the market; None: all minutes are alike.
        wild: how unequal days are; 1: as above, 0: not at all.
        movers: which trades these are, where not all of them move prices; None: all do.
    """

    def __init__(
        self,
        seed: int,
        universe: Universe,
        price: I64,
        start: int,
        *,
        trade_rate: float,
        shape: DayShape | SessionShape | None,
        wild: float,
        movers: Movers | None = None,
    ) -> None:
        self._price, self._start, self._wild = price, start, wild
        self._busy = busyness(shape, start)
        self._variance = busyness(shape, start, variance=True)
        self._night = self._variance.night * TRADING_DAY_S
        self.reach = self._busy.days
        """How many days there are."""
        self.newest = self._busy.newest
        """The day of the start, in days since 1970."""
        names = sorted({i.sector for i in universe})
        self._sector = np.array([names.index(i.sector) for i in universe], dtype=np.intp)
        purposes = ("day", universe.symbols), ("day.sector", names), ("day.market", [""])
        self._own, self._sectors, self._market = (
            Stream(seed, f"past.{purpose}", keyed).keys for purpose, keyed in purposes
        )
        self._rate = trade_rate * universe.column("activity")
        self._size = universe.column("round_lot") * mean_trade_lots()
        if movers is not None:
            self._rate, self._size = self._rate * movers.share, movers.lots
        self._printed = movers is not None
        self._sigma = universe.column("volatility") / math.sqrt(TRADING_YEAR_S)
        self._noise = self._sigma**2 / np.where(self._rate > 0, self._rate, 1.0)

    def busy(self, start: I64, length: int) -> F64:
        """Tell how much of the usual happens in some seconds up to the start of the market, in seconds of the mean."""
        return self._between(self._busy, start, length)

    def variance(self, start: I64, length: int) -> F64:
        """Tell the same of the variance of prices."""
        return self._between(self._variance, start, length) * (1 - self._variance.night)

    def _between(self, usual: Busyness | SessionBusyness, start: I64, length: int) -> F64:
        end = np.minimum(start + length, self._start)
        return usual.until(end) - usual.until(np.minimum(start, self._start))

    def since(self, seconds: int) -> int:
        """Give the time from which on the market was open for so many seconds until the start, at least."""
        return self._busy.since(seconds)

    def today(self) -> tuple[Spans, I64]:
        """Give the day of the start so far, of all symbols, and the close of the day before; of high and low see :meth:`of`."""
        days, nodes = self._walk_back(np.arange(len(self._price)), 1)
        return days.flat(), np.rint(nodes[:, 1]).astype(np.int64)

    def of(self, symbol: int, days: int) -> Spans:
        """
        Give the newest days of a symbol that have a trade, oldest first.

        Their high and low are those of the first and the last trade alone; what is between is made by :mod:`ticker.backfill.intraday`.
        """
        flat = self.all_of(symbol, days)
        return flat.take(flat.trades > 0)

    def all_of(self, symbol: int, days: int) -> Spans:
        """Give the same with those that have no trade: they have prices only if they open and close with an auction."""
        spans, _ = self._walk_back(np.array([symbol]), days)
        return spans.flat().take(slice(None, None, -1))

    def factor(self, symbol: int, days: int) -> F64:
        """Tell how much busier than usual the newest days of a symbol are, oldest first."""
        symbols, number = np.array([symbol]), self.newest - np.arange(days)
        return self._factors(symbols, number, _draws(self._own[symbols], number))[0][0, ::-1]

    def night_deviation(self, symbol: int) -> float:
        """Give the standard deviation of a symbol's returns between one regular session and the next."""
        return float(self._sigma[symbol]) * math.sqrt(self._night)

    def _walk_back(self, symbols: I64, days: int) -> tuple[Spans, F64]:
        """Give the days, newest first, and the price at the end of each and of the one before the last."""
        number = self.newest - np.arange(days)
        start = number * DAY_S
        draws = _draws(self._own[symbols], number)
        factor, wild = self._factors(symbols, number, draws)
        busy = self.busy(start, DAY_S)
        trades = poisson(busy * factor * self._rate[symbols, None], (draws[0] + 0.5) / 65536)
        moved, overnight = self._returns(symbols, number, draws)
        sigma = self._sigma[symbols, None] * np.sqrt(wild)
        variance = self.variance(start, DAY_S)
        # Where days open and close with an auction, the first and the last price need no other trade.
        there = (trades > 0) | ((busy > 0) & (self._rate[symbols, None] > 0) & self._printed)
        day = np.where(there, _growth(sigma * np.sqrt(variance) * moved), 1.0)
        night = np.where(there, _growth(sigma * math.sqrt(self._night) * overnight), 1.0)
        nodes = np.empty((len(symbols), days + 1))
        nodes[:, 0], nodes[:, 1:] = 1.0, day * night
        np.multiply.accumulate(nodes, axis=1, out=nodes)
        nodes = np.clip(self._price[symbols, None] / nodes, 1.0, MOST_TICKS)
        noise = self._noise[symbols, None] * nodes[:, 1:] ** 2 * wild / factor
        noise *= variance / np.where(busy > 0, busy, 1.0)
        size = self._size[symbols, None] * (0.8 + 0.4 * draws[3] / 65536)
        volume = np.maximum(trades, np.rint(trades * size).astype(np.int64))
        # The first trade comes after the last one of the day before.
        first = nodes[:, 1:] * night + np.sqrt(noise) / NORMAL_ONE * normals(draws[1])
        ends = np.rint(np.clip(first, 1, MOST_TICKS)), np.rint(nodes[:, :-1])
        opened, close = (end.astype(np.int64) for end in ends)
        opened = np.where(trades > 1, opened, close)
        high, low = np.maximum(opened, close), np.minimum(opened, close)
        begin = np.broadcast_to(start, trades.shape)
        return Spans(begin, opened, high, low, close, volume, trades, noise), nodes

    def _returns(self, symbols: I64, number: I64, draws: Draws) -> tuple[F64, F64]:
        """Give the returns of days, and of the nights before them, in deviations."""
        of_sector = _draws(self._sectors, number)[:, self._sector[symbols]]
        of_market = _draws(self._market, number)
        day, night = (
            (
                OWN_LOADING * normals(draws[own])
                + SECTOR_LOADING * normals(of_sector[sector])
                + MARKET_LOADING * normals(of_market[market])
            )
            / NORMAL_ONE
            for own, sector, market in ((2, 0, 0), (11, 1, 3))
        )
        return day, night

    def _factors(self, symbols: I64, number: I64, draws: Draws) -> tuple[F64, F64]:
        """
        Tell how much busier than usual the days are, and how many times the variance is the usual one; means are 1.

        The day of the start is as usual.
        """
        factor = np.ones((len(symbols), len(number)))
        if len(number) == 1 or not self._wild:
            return factor, factor
        earlier = number[0] - 1 - np.arange(len(number) - 1 + _SLOW_DAYS)
        before = _draws(self._own[symbols], earlier)
        moved, _ = self._returns(symbols, earlier, before)
        found = _LEVERAGE * moved + math.sqrt(1 - _LEVERAGE**2) / NORMAL_ONE * normals(before[8])
        weights = _weights()
        slow, shock, market_shock = (self._wild * s for s in (_SLOW, _SHOCK, _MARKET_SHOCK))
        level = np.zeros((len(symbols), len(number) - 1))
        for back, weight in enumerate(weights):
            level += slow * weight * found[:, 1 + back : len(number) + back]
        level += shock * _laplace(draws[9:11, :, 1:])
        level += market_shock * _laplace(_draws(self._market, number)[1:3, :, 1:])
        mean, square = (
            (k * slow) ** 2 / 2 - math.log((1 - (k * shock) ** 2) * (1 - (k * market_shock) ** 2))
            for k in (1, 2)
        )
        wild = factor.copy()
        factor[:, 1:], wild[:, 1:] = exp(level - mean), exp(2 * level - square)
        return factor, wild


def _weights() -> list[float]:
    """Give the weights of earlier days in the slow part; their squares sum to 1."""
    # Whole numbers of parts, so that the last bit is the same on every machine.
    raw = [round((1 + back) ** -_FADING * (1 << 20)) for back in range(_SLOW_DAYS)]
    whole = math.sqrt(sum(part * part for part in raw))
    return [part / whole for part in raw]


def _growth(change: F64) -> F64:
    return np.maximum(0.5, 1 + change)


def _draws(keys: U64, number: I64) -> Draws:
    """Draw twelve numbers of 16 bits a key and day: shape (12, keys, days)."""
    counter = 3 * number[:, None] + np.arange(3)
    words = bits(keys[:, None, None], counter.astype(np.uint64))
    return np.moveaxis(halves(words).reshape(*words.shape[:2], 12), -1, 0)


def _laplace(draws: Draws) -> F64:
    """Turn two draws into a double exponential number of scale 1."""
    return (exponentials(draws[0]) - exponentials(draws[1])) / EXPONENTIAL_ONE
