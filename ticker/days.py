"""
The days before a market started, and its first day up to the start: walked back from the first price.

Days are UTC days, like bars of ``1d``, and the market was always open, or in the regular sessions of
:mod:`ticker.hours`. How busy a minute is follows the model's day (:mod:`ticker.shape`); how busy a day is, the exponential of a slow
Gaussian process and of double exponential shocks: the tails of daily volume are a power law (Gopikrishnan, Plerou, Gabaix, Stanley,
Phys. Rev. E 62, 2000), and busy days have large returns (Clark, Econometrica 41, 1973). The day of the start is an average one, so
that the market goes on as it was.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.draws import exp, mean_trade_lots, poisson
from ticker.hours import SessionShape, busyness
from ticker.instruments import MAX_TICKS
from ticker.noise import EXPONENTIAL_ONE, NORMAL_ONE, Stream, bits, exponentials, halves, normals
from ticker.refine import dressed
from ticker.shape import DayShape
from ticker.spans import Spans
from ticker.universe import Universe
from ticker.walk import MARKET_LOADING, OWN_LOADING, RANGE, SECTOR_LOADING, TRADING_YEAR_S

__all__ = ["DAY_S", "Days", "Figures"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Draws = NDArray[np.uint16]

DAY_S = 86_400

_MOST_TICKS = round(RANGE * MAX_TICKS)

_SLOW_DAYS = 12
_SLOW, _SHOCK, _MARKET_SHOCK = 0.3, 0.22, 0.12
"""Of the logarithm of how busy a day is: deviation of the slow part, scales of the shocks (tail exponent 1 / 0.22)."""


class Figures(NamedTuple):
    """A day so far, by symbol; prices in ticks. Without a trade, ``volume`` is 0 and its prices mean nothing."""

    prev_close: I64
    open: I64
    high: I64
    low: I64
    volume: I64


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
    ) -> None:
        self._price, self._start = price, start
        self._busy = busyness(shape, start)
        self.reach = self._busy.days
        """How many days there are."""
        names = sorted({i.sector for i in universe})
        self._sector = np.array([names.index(i.sector) for i in universe], dtype=np.intp)
        purposes = ("day", universe.symbols), ("day.sector", names), ("day.market", [""])
        self._own, self._sectors, self._market = (
            Stream(seed, f"past.{purpose}", keyed).keys for purpose, keyed in purposes
        )
        self._rate = trade_rate * universe.column("activity")
        self._lot = universe.column("round_lot")
        self._sigma = universe.column("volatility") / math.sqrt(TRADING_YEAR_S)
        self._noise = self._sigma**2 / np.where(self._rate > 0, self._rate, 1.0)

    def step_variance(self, symbol: int, spans: Spans) -> F64:
        """Give the variance of the price from one trade to the next, in square ticks."""
        opened = spans.open.astype(np.float64)
        return float(self._noise[symbol]) * opened * opened

    def busy(self, start: I64, length: int) -> F64:
        """Tell how much of the usual happens in some seconds up to the start of the market, in seconds of the mean."""
        end = np.minimum(start + length, self._start)
        return self._busy.until(end) - self._busy.until(np.minimum(start, self._start))

    def since(self, seconds: int) -> int:
        """Give the time from which on the market was open for so many seconds until the start, at least."""
        return self._busy.since(seconds)

    def figures(self) -> Figures:
        """Give the day of the start so far, of all symbols."""
        days, nodes = self._walk_back(np.arange(len(self._price)), 1)
        day = days.flat()
        close = np.rint(nodes[:, 1]).astype(np.int64)
        return Figures(close, day.open, day.high, day.low, day.volume)

    def of(self, symbol: int, days: int) -> Spans:
        """Give the newest days of a symbol that have a trade, oldest first."""
        spans, _ = self._walk_back(np.array([symbol]), days)
        flat = spans.flat().take(slice(None, None, -1))
        return flat.take(flat.trades > 0)

    def _walk_back(self, symbols: I64, days: int) -> tuple[Spans, F64]:
        """Give the days, newest first, and the price at the end of each and the start of the last."""
        number = self._start // DAY_S - np.arange(days)
        start = number * DAY_S
        draws = _draws(self._own[symbols], number)
        of_sector = _draws(self._sectors, number)[:, self._sector[symbols]]
        of_market = _draws(self._market, number)
        usual = self.busy(start, DAY_S) * self._factor(symbols, number, draws, of_market)
        expected = usual * self._rate[symbols, None]
        trades = poisson(expected, (draws[0] + 0.5) / 65536)
        z = (
            OWN_LOADING * normals(draws[2])
            + SECTOR_LOADING * normals(of_sector[0])
            + MARKET_LOADING * normals(of_market[0])
        ) / NORMAL_ONE
        growth = np.maximum(0.5, 1 + self._sigma[symbols, None] * np.sqrt(usual) * z)
        nodes = np.empty((len(symbols), days + 1))
        nodes[:, 0], nodes[:, 1:] = self._price[symbols], np.where(trades > 0, growth, 1.0)
        np.multiply.accumulate(nodes, axis=1, out=nodes)
        nodes = np.clip(nodes, 1.0, _MOST_TICKS)
        ticks = np.rint(nodes).astype(np.int64)
        variance = self._noise[symbols, None] * nodes[:, 1:] ** 2
        step = np.rint(np.sqrt(variance) / NORMAL_ONE * normals(draws[1])).astype(np.int64)
        first = np.clip(
            ticks[:, 1:] + step, 1, _MOST_TICKS
        )  # a trade after the last one of the day before
        close, opened = ticks[:, :-1], np.where(trades > 1, first, ticks[:, :-1])
        lots = mean_trade_lots() * (0.8 + 0.4 * draws[3] / 65536)
        volume = np.maximum(trades, np.rint(trades * lots * self._lot[symbols, None]))
        spans = dressed(
            np.broadcast_to(start, trades.shape),
            (opened, close),
            volume.astype(np.int64),
            trades,
            draws[4:8],
            variance,
            limits=(_MOST_TICKS, 1),
        )
        return spans, nodes

    def _factor(self, symbols: I64, number: I64, draws: Draws, of_market: Draws) -> F64:
        """Tell how much busier than usual the days are; that of the start is as usual."""
        factor = np.ones((len(symbols), len(number)))
        if len(number) > 1:
            earlier = _draws(self._own[symbols], np.arange(number[-1] - _SLOW_DAYS, number[0]))[8]
            found = normals(earlier[:, ::-1]) / NORMAL_ONE
            weights = 0.8 ** np.arange(_SLOW_DAYS)
            weights *= _SLOW / math.sqrt((weights**2).sum())
            for back, weight in enumerate(weights):
                factor[:, 1:] += weight * found[:, 1 + back : len(number) + back]
            factor[:, 1:] += _SHOCK * _laplace(draws[9:11, :, 1:])
            factor[:, 1:] += _MARKET_SHOCK * _laplace(of_market[1:3, :, 1:])
            mean = _SLOW**2 / 2 - math.log((1 - _SHOCK**2) * (1 - _MARKET_SHOCK**2))
            factor[:, 1:] = exp(factor[:, 1:] - 1 - mean)
        return factor


def _draws(keys: U64, number: I64) -> Draws:
    """Draw twelve numbers of 16 bits a key and day: shape (12, keys, days)."""
    counter = 3 * number[:, None] + np.arange(3)
    words = bits(keys[:, None, None], counter.astype(np.uint64))
    return np.moveaxis(halves(words).reshape(*words.shape[:2], 12), -1, 0)


def _laplace(draws: Draws) -> F64:
    """Turn two draws into a double exponential number of scale 1."""
    return (exponentials(draws[0]) - exponentials(draws[1])) / EXPONENTIAL_ONE
