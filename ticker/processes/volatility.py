"""
Stochastic volatility on several time scales, with the leverage effect.

The logarithm of a symbol's volatility is a sum of Ornstein-Uhlenbeck processes, whose half-lives are minutes, half
an hour and a day: a few of them look like the slow, power-law decay of the autocorrelation of absolute returns
(Gatheral, Jaisson, Rosenbaum: "Volatility is rough", Quant. Finance 2018; for several factors: Chernov, Gallant,
Ghysels, Tauchen, J. Econometrics 2003). Part of it is the market's own, so that storms come over all symbols.
Each process is driven partly by the price's shock of the same second: falls make the following seconds more volatile
(leverage: Black 1976; Bouchaud, Matacz, Potters, Phys. Rev. Lett. 2001).

Its clock is the second, whatever the step of the caller; in between it stands still. The recursion is a loop over
seconds, each of it for all symbols: no block of seconds gives other bits than its parts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.randomness.draws import exp_minus
from ticker.randomness.noise import Stream

__all__ = ["LogVolatility", "VolatilityPath"]

F64 = NDArray[np.float64]

_LN_2 = 0.6931471805599453


@dataclass(frozen=True, slots=True)
class LogVolatility:
    """The parameters of the volatility's logarithm."""

    variance: float = 0.30
    """Of the logarithm: the volatility of volatility."""
    half_lives_s: tuple[float, ...] = (60.0, 1800.0, 23400.0)
    """Of its processes, in seconds."""
    weights: tuple[float, ...] = (0.40, 0.35, 0.25)
    """How the variance is shared out to them."""
    leverage: float = -0.25
    """Correlation of the shocks to a symbol's own part with those to its price."""
    market_leverage: float = -0.8
    """The same of the market's part: an index has more of it than a stock."""
    common: float = 0.30
    """The part of the variance that is the market's own."""

    def __post_init__(self) -> None:
        if len(self.weights) != len(self.half_lives_s) or abs(sum(self.weights) - 1) > 1e-9:
            raise ValueError(f"weights {self.weights!r} are not one a half-life, with the sum 1")
        if not 0 <= self.variance <= 1:
            raise ValueError(f"variance {self.variance!r} is not between 0 and 1")

    def path(self, seed: int, symbols: Sequence[str]) -> "VolatilityPath":
        """Give the volatilities of some symbols."""
        return VolatilityPath(self, seed, symbols)

    def decay(self) -> F64:
        """What is left of each process after a second, shape (processes,)."""
        return exp_minus(_LN_2 / np.array(self.half_lives_s))

    def scales(self, leverage: float) -> F64:
        """The standard deviation of a second's shock to each process, shape (processes,)."""
        decay, weight = self.decay(), np.array(self.weights)
        single = np.sqrt(weight * (1 - decay * decay))
        # The shocks have the price's part in common, so that the processes correlate.
        total = 0.0
        for k, shock in enumerate(single):
            for j, other in enumerate(single):
                same = 1.0 if j == k else leverage * leverage
                total += same * shock * other / (1 - decay[j] * decay[k])
        return single * math.sqrt(self.variance / total)


class VolatilityPath:
    """
    The logarithms of the volatilities of all symbols, second by second.

    Args:
        model: the parameters.
        seed: the market's seed.
        symbols: the names.
    """

    def __init__(self, model: LogVolatility, seed: int, symbols: Sequence[str]) -> None:
        processes = len(model.half_lives_s)
        self._decay = model.decay()[:, None]
        # One column a symbol, and the last for the market.
        leverage = np.append(np.full(len(symbols), model.leverage), model.market_leverage)
        self._leverage, self._fresh = leverage, np.sqrt(1 - leverage * leverage)
        self._scale = np.stack([model.scales(float(c)) for c in leverage[[0, -1]]], axis=1)
        self._scale = np.repeat(self._scale, [len(symbols), 1], axis=1)
        self._own_share = math.sqrt(1 - model.common)
        self._common_share = math.sqrt(model.common)
        self._streams = [
            (Stream(seed, f"volatility.{k}", symbols), Stream(seed, f"volatility.market.{k}", [""]))
            for k in range(processes)
        ]
        # It starts as if it had run forever: in its stationary distribution, except for the correlation of processes.
        start = [self._draw(k, 0, 1)[0] for k in range(processes)]
        self._level = np.array(start) * (self._scale / np.sqrt(1 - self._decay * self._decay))
        self._second = 1

    def advance(self, market: F64, own: F64) -> F64:
        """
        Go on over some seconds.

        Args:
            market: the standard normal shock of the market in each second, shape (seconds,).
            own: that of each symbol, shape (symbols, seconds).

        Returns:
            The logarithm of each symbol's volatility, of mean 0, at the start of each second: shape (symbols, seconds).
        """
        seconds = len(market)
        price = np.concatenate((own, market[None, :])).T
        shocks = np.empty((seconds, len(self._streams), price.shape[1]))
        for k in range(len(self._streams)):
            fresh = self._draw(k, self._second, seconds)
            shocks[:, k] = self._scale[k] * (self._leverage * price + self._fresh * fresh)
        levels = np.empty((seconds, price.shape[1]))
        level = self._level
        for second in range(seconds):
            levels[second] = level[0]
            for process in level[1:]:
                levels[second] += process
            level = level * self._decay + shocks[second]
        self._level = level
        self._second += seconds
        return np.ascontiguousarray(
            (self._own_share * levels[:, :-1] + self._common_share * levels[:, -1:]).T
        )

    def _draw(self, process: int, first: int, seconds: int) -> F64:
        """Fresh shocks to one process, shape (seconds, symbols + 1)."""
        own, market = (stream.normals(first, seconds) for stream in self._streams[process])
        return np.concatenate((own, market)).T
