"""
The price process: one vectorised step for all symbols.

A geometric random walk on a grid of *cells* of :data:`CELL_US`, with one market factor, one factor a sector and one
draw a symbol, so that prices of one sector move together (a factor model costs O(symbols) where a Cholesky factor of
the correlation matrix costs O(symbols²)). The grid is fixed and every draw is addressed by its cell, so the path
depends neither on the step length that a caller chooses nor on which other symbols exist.

A geometric walk of high volatility goes to 0 in the long run (its logarithm has the drift -sigma²/2), and a market
can run for simulated years. So the walk is reflected, in the logarithm, at a floor and at a ceiling far from where it
started.

Only addition, multiplication, division and square root touch the path (IEEE exact), so it is the same on every machine.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ticker.processes.grid import CELL_US, CELLS_PER_SECOND
from ticker.randomness.noise import Stream

__all__ = [
    "CELLS_PER_SECOND",
    "CELL_US",
    "MARKET_LOADING",
    "RANGE",
    "SECTOR_LOADING",
    "TRADING_YEAR_S",
    "RandomWalk",
]

TRADING_YEAR_S = 252 * 6.5 * 3600
"""Seconds of trading in a year: what an annual volatility refers to."""

MARKET_LOADING = 0.45
SECTOR_LOADING = 0.35
OWN_LOADING = math.sqrt(1 - MARKET_LOADING * MARKET_LOADING - SECTOR_LOADING * SECTOR_LOADING)
"""Loadings on the three factors; their squares sum to 1. Correlation across sectors .20, within a sector .32."""

RANGE = 100.0
"""How many times lower, and higher, than at the start a price can become."""


class RandomWalk:
    """
    Correlated geometric random walks, one a symbol.

    Args:
        seed: the market's seed.
        symbols: the names; a symbol's path depends on its name, not on its position.
        sectors: the sector of each symbol.
        start: the first price of each symbol, in any unit (the market uses ticks), shape (symbols,).
        volatility: annualised volatility of each symbol, as a fraction, shape (symbols,).
        floor: the lowest price of each symbol, not above its start; default: the start over :data:`RANGE`.
    """

    def __init__(
        self,
        seed: int,
        symbols: Sequence[str],
        sectors: Sequence[str],
        start: NDArray[np.float64],
        volatility: NDArray[np.float64],
        floor: NDArray[np.float64] | None = None,
    ) -> None:
        names = sorted(set(sectors))
        self._market = Stream(seed, "walk.market", [""])
        self._sectors = Stream(seed, "walk.sector", names)
        self._own = Stream(seed, "walk.symbol", symbols)
        self._sector_of = np.array([names.index(sector) for sector in sectors], dtype=np.intp)
        self.sigma: NDArray[np.float64] = volatility / math.sqrt(TRADING_YEAR_S * CELLS_PER_SECOND)
        """Standard deviation of one cell's return, shape (symbols,)."""
        self.price: NDArray[np.float64] = start.astype(np.float64)
        """The price at the end of the last cell, shape (symbols,)."""
        self._floor = self.price / RANGE if floor is None else np.maximum(floor, self.price / RANGE)
        self._ceiling = self.price * RANGE
        self.cell = 0
        """How many cells have been walked."""

    def advance(self, cells: int) -> NDArray[np.float64]:
        """
        Walk ``cells`` cells on.

        Returns:
            The price at the end of each cell, shape (symbols, cells).

        Cost: about 8 ns a symbol and cell at 10,000 symbols (``bench/test_walk.py``).
        """
        path = self._growth(cells)
        path[:, 0] *= self.price
        np.multiply.accumulate(path, axis=1, out=path)
        out = (path < self._floor[:, None]) | (path > self._ceiling[:, None])
        if out.any():
            self._reflect(path, np.flatnonzero(out.any(axis=1)))
        self.price = path[:, -1].copy()
        self.cell += cells
        return path

    def skip(self, cells: int) -> None:
        """Go over some cells in which nothing moves."""
        self.cell += cells

    def _growth(self, cells: int) -> NDArray[np.float64]:
        """What the price is multiplied by in each of the next cells, shape (symbols, cells)."""
        factor = MARKET_LOADING * self._market.normals(
            self.cell, cells
        ) + SECTOR_LOADING * self._sectors.normals(self.cell, cells)
        growth = self._own.normals(self.cell, cells)
        growth *= OWN_LOADING
        growth += factor[self._sector_of]
        growth *= self.sigma[:, None]
        growth += 1.0
        return growth

    def _reflect(self, path: NDArray[np.float64], rows: NDArray[np.intp]) -> None:
        """Walk some symbols again, cell by cell, reflected at their floor and ceiling. Rare, and slow."""
        growth = self._growth(path.shape[1])[rows]
        price, floor, ceiling = self.price[rows], self._floor[rows], self._ceiling[rows]
        for cell in range(path.shape[1]):
            price = price * growth[:, cell]
            price = np.where(price < floor, floor * (floor / price), price)
            price = np.where(price > ceiling, ceiling * (ceiling / price), price)
            path[rows, cell] = price
