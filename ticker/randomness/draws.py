"""Distributions of the order flow: counts by inversion, sizes by table."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ticker.randomness.noise import NORMAL_ONE, normals, quantiles

__all__ = [
    "BLOCK_LOTS",
    "exp",
    "exp_minus",
    "lots",
    "mean_trade_lots",
    "met_sizes",
    "poisson",
    "trade_sizes",
]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

BLOCK_LOTS = 20
"""From so many round lots on, a trade is a block: what two parties agreed on elsewhere than on the book."""

_HALF = 1 << 15
_BLOCKS = 131  # draws of 65,536: one in 500
_ODD_ROUND = {1: 0.08, 2: 0.03, 3: 0.01, 5: 0.04, 10: 0.06, 15: 0.01, 20: 0.03, 25: 0.04}
_ODD_ROUND |= {30: 0.015, 40: 0.01, 50: 0.07, 60: 0.005, 75: 0.015, 80: 0.005}
_LOTS_ROUND = {5: 0.03, 10: 0.015}
"""How much more frequent round numbers of shares are among odd lots, and of lots among others."""

_POISSON_EXACT = 64.0
_E16 = 8886110.520507872
"""e**16."""


def exp_minus(x: F64) -> F64:
    """
    Compute e**-x for 0 <= x <= 64 to 12 digits, by multiplication and addition alone.

    So the last bit is the same on every machine; that of ``np.exp`` depends on the processor.
    """
    small = x / 1024
    power = np.ones_like(small)
    for k in range(8, 0, -1):
        power = 1 - small / k * power
    for _ in range(10):
        power = power * power
    return power


def exp(x: F64) -> F64:
    """Compute e**x to 12 digits, the same bits on every machine; what is beyond +-16 counts as that."""
    return _E16 * exp_minus(16 - np.clip(x, -16, 16))


def poisson(mean: F64, uniform: F64) -> I64:
    """
    Draw Poisson numbers by inversion, element by element; beyond a mean of 64 by the normal approximation.

    Args:
        mean: the means, not negative, of a shape that broadcasts to that of ``uniform``.
        uniform: draws from (0, 1).
    """
    count = np.zeros(uniform.shape, dtype=np.int64)
    none = exp_minus(np.minimum(mean, _POISSON_EXACT))
    # Only what isn't settled yet is looked at again: most cells of a quiet symbol have no event.
    active = np.flatnonzero(uniform > np.where(mean > _POISSON_EXACT, np.inf, none))
    at = np.unravel_index(active, uniform.shape)
    means = np.broadcast_to(mean, uniform.shape)[at]
    probability = np.broadcast_to(none, uniform.shape)[at]
    left = uniform[at] - probability
    flat = count.reshape(-1)
    k = 0
    while len(active) and k < 4 * _POISSON_EXACT:
        k += 1
        flat[active] = k
        probability *= means / k
        on = left > probability
        left = (left - probability)[on]
        probability, means, active = probability[on], means[on], active[on]
    large = np.broadcast_to(mean > _POISSON_EXACT, uniform.shape)
    if large.any():
        expected = np.broadcast_to(mean, uniform.shape)[large]
        deviate = normals((uniform[large] * 65536).astype(np.uint16)) / NORMAL_ONE
        count[large] = np.maximum(0, np.rint(expected + np.sqrt(expected) * deviate))
    return count


@cache
def trade_sizes() -> I64:
    """
    Trade sizes in hundredths of a round lot, one for each 16-bit draw.

    Half of the prints are odd lots, most of the rest one or a few round lots, one in 500 a block; round numbers are more frequent
    (Alexander, Peterson: "An analysis of trade-size clustering and its relation to stealth trading", J. Financial Economics 84, 2007).
    """
    odd, whole = np.arange(1.0, 100.0), np.arange(1.0, BLOCK_LOTS)
    parts = [
        (odd, _share(np.power(odd, -1 / 3), _ODD_ROUND), _HALF),
        (100 * whole, _share(np.power(0.45, whole), _LOTS_ROUND), _HALF - _BLOCKS),
    ]
    few = [np.repeat(sizes, np.diff(_edges(share, draws))) for sizes, share, draws in parts]
    tail = (np.arange(_BLOCKS)[::-1] + 0.5) / _BLOCKS
    blocks = 500 * np.floor(BLOCK_LOTS / 5 * np.power(tail, -0.7))
    return np.concatenate((*few, blocks)).astype(np.int64)


def _share(plain: F64, round_numbers: dict[int, float]) -> F64:
    """Give the shares of sizes 1, 2, ...: some are more frequent than others around them."""
    share: F64 = plain / plain.sum() * (1 - sum(round_numbers.values()))
    share[np.array(list(round_numbers)) - 1] += list(round_numbers.values())
    return share


def _edges(share: F64, draws: int) -> I64:
    """Give where the draws of each begin, and the end."""
    return np.concatenate(([0], np.rint(np.cumsum(share) * draws))).astype(np.int64)


@cache
def lots() -> I64:
    """Quote sizes in round lots, one for each 16-bit draw: geometric, mean about 3."""
    return quantiles(lambda u: 1 + np.floor(np.log1p(-u) / np.log(0.68))).astype(np.int64)


@cache
def met_sizes() -> F64:
    """
    Give the mean of what comes of each of :func:`trade_sizes`: what a quote shows is the most that a trade meets.

    A block is met elsewhere.
    """
    sizes = trade_sizes()
    shown, times = np.unique(lots(), return_counts=True)
    met = np.average(np.minimum(sizes, 100 * shown[:, None]), axis=0, weights=times)
    return np.where(sizes >= 100 * BLOCK_LOTS, sizes, met)


@cache
def mean_trade_lots() -> float:
    """Give the mean trade size in round lots."""
    return float(met_sizes().mean()) / 100
