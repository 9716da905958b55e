"""
How wide a quote is.

A spread is one tick, plus an exponential number of further ticks: that of a liquid symbol is one tick most of
the time. Market makers want to be paid for volatility (Copeland and Galai, J. Finance 1983; Wyart, Bouchaud, Kockelkoren,
Potters, Vettorazzo, Quant. Finance 2008: the spread is proportional to the volatility of a trade), so what is above one
tick grows with the market's strain.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.processes.grid import Grid
from ticker.randomness.noise import EXPONENTIAL_ONE, exponentials

__all__ = ["Spreads", "TenseSpread"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_MOST_STRAIN = 10.0


@dataclass(frozen=True, slots=True)
class TenseSpread:
    """Spreads that grow with the volatility of the second, relative to its mean."""

    least: float = 0.05
    """Mean ticks above one that even the tightest symbol has, so that it widens in a storm."""

    def spreads(self, mean: F64) -> "Spreads":
        """Give the spreads of symbols whose mean is so many ticks."""
        return Spreads(self, mean)


class Spreads:
    """
    Draws spreads in ticks.

    Args:
        model: None for spreads that don't change with the volatility.
        mean: the mean spread of each symbol in ticks, at least 1, shape (symbols,).
    """

    def __init__(self, model: TenseSpread | None, mean: F64) -> None:
        self._extra = mean - 1 if model is None else np.maximum(mean - 1, model.least)
        self._tense = model is not None

    def draw(
        self,
        grid: Grid,
        symbol: I64,
        cell: I64,
        draw: NDArray[np.uint16],
        dither: NDArray[np.uint16],
    ) -> I64:
        """Draw the spread of each quote, given its symbol, its cell in the grid, and twice 16 bits."""
        extra = self._extra[symbol] * (exponentials(draw) / EXPONENTIAL_ONE)
        if self._tense and grid.strain is not None:
            extra *= np.minimum(grid.strain[symbol, grid.second_of(cell)], _MOST_STRAIN)
        # The dither makes the mean of the rounded spread the instrument's mean.
        return 1 + (extra + dither / 65536).astype(np.int64)
