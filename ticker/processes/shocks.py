"""
What makes returns fatter-tailed and less simultaneous than a Gaussian walk's: Student-t shocks, jumps, lead and lag.

Each is a small part that the price process (:mod:`ticker.generator.prices`) can be made with or without.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.randomness.noise import EXPONENTIAL_ONE, Stream, exponentials, halves
from ticker.trading_day.shape import DAY_S

__all__ = ["JumpPath", "Jumps", "LeadLag", "StudentT"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StudentT:
    """
    Returns of a second are Student-t with six degrees of freedom, of the market, of sectors and of each symbol.

    A normal number over the root of a chi-squared one that all cells of the second share (Praetz, J. Business 1972;
    Blattberg and Gonedes, J. Business 1974). The market's and the sectors' hit many at once: tails depend on each
    other, which correlation alone doesn't make them do. Six, because half a chi-squared number of six degrees is a
    sum of three exponential ones.
    """

    def scales(self, stream: Stream, first: int, seconds: int) -> F64:
        """Draw what to multiply a second's normal numbers by, of mean square 1: shape (names, seconds)."""
        draws = exponentials(halves(stream.words(first, seconds))[..., :3])
        half_chi_squared = (draws[..., 0] + draws[..., 1] + draws[..., 2]) / EXPONENTIAL_ONE
        # At least a fiftieth: a shock is at most ten times what it would be.
        return np.sqrt(2 / np.maximum(half_chi_squared, 0.02))


@dataclass(frozen=True, slots=True)
class Jumps:
    """
    Jumps of a symbol's own, and of the whole market (Merton, J. Financial Economics 1976).

    Sizes are double exponential, falls a little more frequent than rises (Kou, Management Science 2002).
    """

    own_a_day: float = 1.5
    own_size: float = 0.12
    """Mean size, in standard deviations of a day's return at the volatility of the moment."""
    market_a_day: float = 0.3
    market_size: float = 0.12
    down: float = 0.55
    """The fraction of falls."""

    def __post_init__(self) -> None:
        if not 0 <= self.share() < 1:
            raise ValueError(
                f"jumps make up {self.share():.3g} of the variance; below 1 is allowed"
            )

    def share(self) -> float:
        """Give the share of jumps in the variance of a day."""
        return 2 * (
            self.own_a_day * self.own_size * self.own_size
            + self.market_a_day * self.market_size * self.market_size
        )

    def path(self, seed: int, symbols: Sequence[str]) -> "JumpPath":
        """Give the jumps of some symbols."""
        return JumpPath(self, seed, symbols)


class JumpPath:
    """The jumps of all symbols."""

    def __init__(self, model: Jumps, seed: int, symbols: Sequence[str]) -> None:
        self._model = model
        self._own = Stream(seed, "jumps", symbols)
        self._market = Stream(seed, "jumps.market", [""])

    def sizes(self, first: int, seconds: int) -> tuple[I64, I64, F64]:
        """
        Give the jumps in some seconds: their symbols, their seconds and their sizes in deviations of a day's return.

        A symbol has at most one jump of its own and one of the market in a second.
        """
        model = self._model
        row, at, size = self._find(self._own.words(first, seconds), model.own_a_day, model.own_size)
        _, hits, shared = self._find(
            self._market.words(first, seconds), model.market_a_day, model.market_size
        )
        symbols = len(self._own.keys)
        return (
            np.concatenate((row, np.tile(np.arange(symbols), len(hits)))),
            np.concatenate((at, np.repeat(hits, symbols))),
            np.concatenate((size, np.repeat(shared, symbols))),
        )

    def _find(self, words: NDArray[np.uint64], a_day: float, scale: float) -> tuple[I64, I64, F64]:
        row, at = np.nonzero((words >> np.uint64(32)) < round(a_day / DAY_S * 2**32))
        draws = halves(words[row, at])
        size = exponentials(draws[..., 0]) * (scale / EXPONENTIAL_ONE)
        falls = draws[..., 1] < round(self._model.down * 65536)
        return row, at, np.where(falls, -size, size)


@dataclass(frozen=True, slots=True)
class LeadLag:
    """
    Symbols hear the news of their market and sector at different times, so that they correlate less over seconds.

    Correlation that grows with the interval is the Epps effect (Epps, J. American Statistical Association 1979);
    that news reach some symbols later than others is one of its causes (Lo and MacKinlay, Rev. Financial Studies 1990;
    Toth and Kertesz, Quant. Finance 2009). A delay leaves a symbol's own path without memory.
    """

    longest_s: int = 40
    """The longest delay in seconds."""

    def delays(self, seed: int, symbols: Sequence[str]) -> I64:
        """Draw the delay of each symbol in seconds, uniform from 0 to the longest."""
        draws = Stream(seed, "lead-lag", symbols).words(0, 1)[:, 0] >> np.uint64(48)
        return (draws.astype(np.int64) * (self.longest_s + 1)) >> 16
