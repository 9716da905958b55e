"""
What a part of a model is: the few things that prices and order flow ask of it.

A part is data, a frozen dataclass: its ``repr`` is part of the epoch, so that markets of other parts have another one. What it makes
from a seed (:mod:`ticker.randomness.noise`: a draw is a function of a counter) is made for whole seconds, counted from the start of the
market, one stretch after the other, and must not depend on how long these are: else a stream isn't the batch any more.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ticker.processes.arrivals import Arrivals
from ticker.processes.grid import Grid
from ticker.randomness.noise import Stream
from ticker.universe import Universe

__all__ = [
    "ArrivalPart",
    "JumpPart",
    "Jumping",
    "LagPart",
    "SignPart",
    "Signing",
    "SpreadPart",
    "Spreading",
    "TailPart",
    "Volatile",
    "VolatilityPart",
]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Draws = NDArray[np.uint16]


class Volatile(Protocol):
    """The volatility of a market's symbols."""

    def advance(self, market: F64, own: F64) -> F64:
        """
        Go on over some seconds.

        Args:
            market: the standard normal shock of the market in each second, shape (seconds,).
            own: that of each symbol, shape (symbols, seconds).

        Returns:
            The logarithm of each symbol's volatility, normal and of mean 0, at the start of each second: shape (symbols, seconds).
        """


class VolatilityPart(Protocol):
    """Makes the volatility change; such as :class:`ticker.processes.volatility.LogVolatility`."""

    @property
    def variance(self) -> float:
        """Of the logarithm of the volatility: what keeps the mean variance and the mean rate of events as they are."""

    def path(self, seed: int, symbols: Sequence[str]) -> Volatile:
        """Give that of a market."""


class TailPart(Protocol):
    """Makes the shocks of a second heavy-tailed; such as :class:`ticker.processes.shocks.StudentT`."""

    def scales(self, stream: Stream, first: int, seconds: int) -> F64:
        """Draw what to multiply a second's normal numbers by, of mean square 1: shape (names, seconds)."""


class Jumping(Protocol):
    """The jumps of a market's symbols."""

    def sizes(self, first: int, seconds: int) -> tuple[I64, I64, F64]:
        """
        Give the jumps in some seconds.

        Returns:
            Their symbols, their seconds from ``first`` on, and their sizes in standard deviations of a day's return.
        """


class JumpPart(Protocol):
    """Makes prices jump; such as :class:`ticker.processes.shocks.Jumps`."""

    def share(self) -> float:
        """Give the share of jumps in the variance of a day, below 1; the rest of the price has that much less."""

    def path(self, seed: int, symbols: Sequence[str]) -> Jumping:
        """Give those of a market."""


class LagPart(Protocol):
    """Lets news come late; such as :class:`ticker.processes.shocks.LeadLag`."""

    @property
    def longest_s(self) -> int:
        """The longest delay in seconds."""

    def delays(self, seed: int, symbols: Sequence[str]) -> I64:
        """Give the delay of each symbol in seconds."""


class ArrivalPart(Protocol):
    """Says when trades and quotes come; such as :class:`ticker.processes.arrivals.Hawkes`."""

    def arrivals(self, seed: int, universe: Universe, rate: F64) -> Arrivals:
        """Give the arrivals of a market, of so many events a second of each symbol."""


class Signing(Protocol):
    """The signs of a market's trades."""

    def buys(self, symbol: I64, draw: Draws) -> NDArray[np.bool_]:
        """Tell of each trade, by symbol and then in the order of time, whether a buyer came; each has a draw."""


class SignPart(Protocol):
    """Says who trades; such as :class:`ticker.processes.signs.HiddenOrders`."""

    def signs(self, seed: int, symbols: Sequence[str]) -> Signing:
        """Give those of a market."""


class Spreading(Protocol):
    """The spreads of a market's quotes."""

    def draw(self, grid: Grid, symbol: I64, cell: I64, draw: Draws, dither: Draws) -> I64:
        """Draw the spread of each quote in ticks, at least 1, given its symbol, its cell in the grid, and twice 16 bits."""


class SpreadPart(Protocol):
    """Says how wide quotes are; such as :class:`ticker.processes.spreads.TenseSpread`."""

    def spreads(self, mean: F64) -> Spreading:
        """Give those of a market, whose mean is so many ticks for each symbol."""
