"""
The price process of a model: the walk of :mod:`ticker.processes.walk`, with a volatility that changes.

In each second, a symbol's return is its annual volatility, times the day's shape, times its stochastic volatility,
times the sum of what the market, its sector and itself contribute; jumps come on top. Each part can be left out.
Everything that changes from second to second is made for whole seconds, whatever the step.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ticker.model import Model
from ticker.processes.grid import CELLS_PER_SECOND, Grid
from ticker.processes.walk import MARKET_LOADING, OWN_LOADING, SECTOR_LOADING, RandomWalk
from ticker.randomness.draws import exp
from ticker.randomness.noise import Stream
from ticker.trading_day.shape import DAY_S

__all__ = ["Prices"]

F64 = NDArray[np.float64]

_MOST_SIGMA = 0.1  # of a cell: a price stays positive whatever is drawn
_MOST_JUMP = 0.5
_CELLS_TO_DAY = math.sqrt(DAY_S * CELLS_PER_SECOND)  # from a cell's deviation to that of a day
_MOST_ACTIVITY = 8.0


class Prices(RandomWalk):
    """
    The prices of all symbols under a model.

    Args:
        model: which parts to use.
        seed, symbols, sectors, start, volatility, floor: as for :class:`~ticker.processes.walk.RandomWalk`.
    """

    def __init__(
        self,
        model: Model,
        seed: int,
        symbols: Sequence[str],
        sectors: Sequence[str],
        start: F64,
        volatility: F64,
        floor: F64 | None = None,
    ) -> None:
        super().__init__(seed, symbols, sectors, start, volatility, floor)
        self._model = model
        self._volatility = model.volatility.path(seed, symbols) if model.volatility else None
        self._jumps = model.jumps.path(seed, symbols) if model.jumps else None
        if model.shape:
            shape = model.shape
            self._shape = shape.volatility(), shape.activity(), shape.strain()
        if model.tails:
            names = sorted(set(sectors))
            self._tails = (
                Stream(seed, "tails.market", [""]),
                Stream(seed, "tails.sector", names),
                Stream(seed, "tails.symbol", symbols),
            )
        self._longest = model.lags.longest_s if model.lags else 0
        if model.lags:
            self._delay = model.lags.delays(seed, symbols) * CELLS_PER_SECOND
        self._continuous = np.sqrt(1 - (model.jumps.share() if model.jumps else 0.0))
        self._next = np.empty((0, 0))

    def seconds(self, seconds: int) -> Grid:
        """
        Walk some whole seconds on.

        Cost: about 15 ns a symbol and cell with all parts (``bench/test_model.py``).
        """
        first, before = self.cell, self.price
        second = first // CELLS_PER_SECOND
        if self._model.plain:
            path = self.advance(seconds * CELLS_PER_SECOND)
            return Grid(first, before, path, second, self.sigma[:, None])
        factor, own = self._shocks(second, seconds)
        sigma, activity, strain = self._state(second, seconds, factor, own)
        # The sum of the parts in place of `own`, times the volatility, plus 1: what the price grows by.
        own += factor
        own *= sigma[:, :, None]
        own += 1.0
        self._jump(own, second, seconds, sigma)
        self._next = own.reshape(len(self.price), -1)
        path = self.advance(seconds * CELLS_PER_SECOND)
        return Grid(first, before, path, second, sigma, activity, strain)

    def _growth(self, cells: int) -> F64:
        return super()._growth(cells) if self._model.plain else self._next.copy()

    def _shocks(self, second: int, seconds: int) -> tuple[F64, F64]:
        """What market and sector, and what each symbol itself contributes: shape (symbols, seconds, cells)."""
        # Counted from the longest delay on, so that there is news from before the start.
        early = seconds + self._longest
        shape = (-1, early, CELLS_PER_SECOND)
        market = self._market.normals(second * CELLS_PER_SECOND, early * CELLS_PER_SECOND)
        sector = self._sectors.normals(second * CELLS_PER_SECOND, early * CELLS_PER_SECOND)
        own = self._own.normals(second * CELLS_PER_SECOND, seconds * CELLS_PER_SECOND)
        own = own.reshape(-1, seconds, CELLS_PER_SECOND)
        market, sector = (
            MARKET_LOADING * market.reshape(shape),
            SECTOR_LOADING * sector.reshape(shape),
        )
        if tails := self._model.tails:
            of_market, of_sector, of_own = self._tails
            market *= tails.scales(of_market, second, early)[:, :, None]
            sector *= tails.scales(of_sector, second, early)[:, :, None]
            own *= (OWN_LOADING * tails.scales(of_own, second, seconds))[:, :, None]
        else:
            own *= OWN_LOADING
        self._news = market[0, self._longest :]
        factor = (market + sector).reshape(len(sector), -1)
        return self._delayed(factor, seconds * CELLS_PER_SECOND).reshape(own.shape), own

    def _delayed(self, factor: F64, cells: int) -> F64:
        """Give each symbol its sector's row, as it hears it: shape (symbols, cells)."""
        if not self._model.lags:
            return factor[self._sector_of]
        windows = np.lib.stride_tricks.sliding_window_view(factor, cells, axis=1)
        return windows[self._sector_of, self._longest * CELLS_PER_SECOND - self._delay]

    def _state(
        self, second: int, seconds: int, factor: F64, own: F64
    ) -> tuple[F64, F64 | None, F64 | None]:
        """The standard deviation of a cell, the activity and the strain: shape (symbols, seconds)."""
        model = self._model
        sigma = np.repeat((self._continuous * self.sigma)[:, None], seconds, axis=1)
        activity = np.ones((1, seconds))
        strain = np.ones((1, seconds))
        if self._volatility and model.volatility:
            root = np.sqrt(float(CELLS_PER_SECOND))
            level = self._volatility.advance(
                _sum(self._news) / (MARKET_LOADING * root), _sum(own) / (OWN_LOADING * root)
            )
            wild = exp(level - model.volatility.variance)
            sigma *= wild
            # exp(level - variance / 2) has the mean 1.
            activity = strain = wild * exp(np.array([model.volatility.variance / 2]))
        if model.shape:
            minute = model.shape.minutes(second, seconds)
            sigma *= self._shape[0][minute]
            activity = activity * self._shape[1][minute]
            strain = strain * self._shape[2][minute]
        shape = sigma.shape
        return (
            np.minimum(sigma, _MOST_SIGMA),
            np.broadcast_to(np.minimum(activity, _MOST_ACTIVITY), shape),
            np.broadcast_to(strain, shape) if model.spread else None,
        )

    def _jump(self, growth: F64, second: int, seconds: int, sigma: F64) -> None:
        """Multiply the first cell of the seconds with a jump by it; wild times have wilder jumps."""
        if self._jumps:
            row, at, size = self._jumps.sizes(second, seconds)
            whole = sigma[row, at] / self._continuous
            change = np.clip(size * _CELLS_TO_DAY * whole, -_MOST_JUMP, _MOST_JUMP)
            # One after the other: a symbol can have two in a second.
            np.multiply.at(growth[:, :, 0], (row, at), 1 + change)


def _sum(cells: F64) -> F64:
    """Add up the cells of each second, in the order of time, so that the last bit is always the same."""
    total = cells[..., 0].copy()
    for cell in range(1, CELLS_PER_SECOND):
        total += cells[..., cell]
    return total
