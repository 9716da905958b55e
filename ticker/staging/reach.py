"""
How much of a scripted move reaches each symbol of it.

A market that falls by 9 % doesn't take every share down by 9 %: a wild one falls by more than a calm one, those of a sector fall
alike, and the rest is each one's own. A symbol's reach is the product of three things, and the mean over the symbols
concerned is 1:

* its beta, as far as its volatility tells it, a third of the way back to 1 (Blume 1971: betas regress to the mean);
* a factor of its sector, and one of its own, both lognormal and drawn by name: the larger a market's move, the further
  apart its stocks (Christie and Huang 1995). On 6 May 2010, when the index was down by less than a tenth, one security in seven
  was down by more ("Findings regarding the market events of May 6, 2010", CFTC and SEC).
"""

import math

import numpy as np
from numpy.typing import NDArray

from ticker.randomness.draws import exp
from ticker.randomness.noise import Stream
from ticker.scenario import Points
from ticker.universe import Universe

__all__ = ["levels", "reach"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

_TO_ONE = 1 / 3
_SECTOR, _OWN = 0.2, 0.3  # deviations of the factors' logarithms
_LEAST, _MOST = 0.2, 4.0
_PASSES, _NEAR = 60, 1e-13


def reach(universe: Universe, symbols: I64, seed: int, purpose: str) -> F64:
    """
    Give how much of a move reaches each of some symbols, above 0 and 1 on average; exactly 1 for a single one.

    Args:
        universe: what is traded.
        symbols: the ids of those concerned.
        seed: of the draws.
        purpose: what the draws are for.
    """
    if len(symbols) == 1:
        return np.ones(1)
    volatility = universe.column("volatility")[symbols]
    mean = _mean(volatility)
    beta = volatility / mean if mean else np.ones(len(symbols))
    beta = _TO_ONE + (1 - _TO_ONE) * beta
    instruments = [universe[symbol] for symbol in symbols.tolist()]
    sectors = sorted({instrument.sector for instrument in instruments})
    place = {sector: i for i, sector in enumerate(sectors)}
    shared = Stream(seed, f"{purpose}.sector", sectors).normals(0, 1)[:, 0]
    own = Stream(seed, f"{purpose}.reach", [i.symbol for i in instruments]).normals(0, 1)[:, 0]
    factor = _SECTOR * shared[[place[i.sector] for i in instruments]] + _OWN * own
    product = beta * exp(factor)
    product = np.clip(product / _mean(product), _LEAST, _MOST)
    out: F64 = product / _mean(product)
    return out


def levels(returns: Points, reach: F64) -> Points:
    """
    Give the logarithms that, times each symbol's reach, come to these returns as the mean over the symbols.

    So a price never falls to 0, however far the others go, and moves one way in all of them.
    """
    return tuple((seconds, _level(value, reach)) for seconds, value in returns)


def _level(value: float, reach: F64) -> float:
    """Solve mean(exp(level * reach)) = 1 + value. Newton's steps on a convex function: they can't miss."""
    target = level = math.log1p(value)
    if len(reach) == 1 or not value:
        return level
    for _ in range(_PASSES):
        growth = exp(level * reach)
        mean = _mean(growth)
        step = (math.log(mean) - target) * mean / _mean(growth * reach)
        level -= step
        if abs(step) < _NEAR:
            break
    return level


def _mean(values: F64) -> float:
    """Give the mean by a running sum, whose last bit is the same on every machine."""
    return float(np.cumsum(values)[-1]) / len(values)
