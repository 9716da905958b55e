"""
The tied walk: prices of the trades of a span whose first, highest, lowest and last price are known.

A random walk in trades (the clock of trades: Ané, Geman, J. Finance 2000) is tied to these four, as a Brownian bridge is to its
two ends, and reflected into the range. Going from one of the four to the next moves the price as well, so the walk gets only
the rest of the variance: at any refinement, moves are as large as the volatility says.
"""

import numpy as np
from numpy.typing import NDArray

from ticker.noise import NORMAL_ONE, normals
from ticker.spans import Spans

__all__ = ["ends"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Draws = NDArray[np.uint16]


def ends(spans: Spans, first: I64, count: I64, draws: Draws, variance: F64) -> tuple[I64, I64]:
    """
    Draw the first and the last price of each part of some spans.

    Args:
        spans: what is refined, shape (n,); each has a trade.
        first: the number of the first trade of each part, shape (n, parts).
        count: how many trades each part has, shape (n, parts).
        draws: the third and the fourth are used, shape (8, n, parts).
        variance: of the price from one trade to the next, in square ticks, shape (n,).
    """
    knots, known = _knots(spans)
    variance = _spare(knots, known, variance, np.count_nonzero(count, axis=1))
    shape = (*first.shape, 2)
    number, steps = np.empty(shape, dtype=np.int64), np.empty(shape)
    number[..., 0], number[..., 1] = first, first + np.maximum(count - 1, 0)
    deviation = np.sqrt(variance)[:, None] / NORMAL_ONE
    steps[..., 0] = np.where(count > 0, deviation, 0.0) * normals(draws[2])
    steps[..., 1] = deviation * np.sqrt(np.maximum(count - 1, 0)) * normals(draws[3])
    number = number.reshape(len(first), 2 * first.shape[1])
    walk = np.cumsum(steps.reshape(number.shape), axis=1)
    tied = np.stack([_walk_at(knot, first, count, walk) for knot in knots])
    # Between two of them the walk is shifted and tilted, so that it goes through both.
    tilt = (np.diff(known, axis=0) - np.diff(tied, axis=0)) / np.maximum(1, np.diff(knots, axis=0))
    shift = known[:-1] - tied[:-1] - knots[:-1] * tilt
    piece = (number > knots[1, :, None]).astype(np.int64)
    piece += number > knots[2, :, None]
    piece += 3 * np.arange(len(first))[:, None]
    walk += shift.T.ravel()[piece]
    walk += number * tilt.T.ravel()[piece]
    prices = _folded(walk, spans.low[:, None], spans.high[:, None])
    return prices[:, 0::2], prices[:, 1::2]


def _knots(spans: Spans) -> tuple[I64, I64]:
    """Give the four trades of which the prices are known, in their order, and these: shape (4, n) each."""
    early, late = np.minimum(spans.high_at, spans.low_at), np.maximum(spans.high_at, spans.low_at)
    high_first = spans.high_at <= spans.low_at
    one = np.where(high_first, spans.high, spans.low)
    other = np.where(high_first, spans.low, spans.high)
    knots = np.stack((np.zeros_like(early), early, late, spans.trades - 1))
    return knots, np.stack((spans.open, one, other, spans.close))


def _spare(knots: I64, known: I64, variance: F64, parts: I64) -> F64:
    """Give the variance of a trade that is left for the walk: going through the knots moves the price as well."""
    trades = np.maximum(1, knots[-1]).astype(np.float64)
    long = trades / np.maximum(1, parts)
    legs = np.diff(known, axis=0).astype(np.float64)
    moved = (legs * legs / np.maximum(long, np.diff(knots, axis=0))).sum(axis=0) * long
    kept = np.maximum(0.25, 1 - 3 * long / trades)  # three bridges wander less than a walk
    spare: F64 = (variance - moved / trades) / kept
    return np.clip(spare, 0.05 * variance, 2 * variance)


def _walk_at(knot: I64, first: I64, count: I64, walk: F64) -> F64:
    """Give the walk at one trade of each span: between the two ends of the part in which that is."""
    row = np.arange(len(knot))
    part = np.maximum(0, (first <= knot[:, None]).sum(axis=1) - 1)
    begin, end = walk[row, 2 * part], walk[row, 2 * part + 1]
    share: F64 = (knot - first[row, part]) / np.maximum(1, count[row, part] - 1)
    at: F64 = begin + share * (end - begin)
    return at


def _folded(price: F64, low: I64, high: I64) -> I64:
    """Reflect prices into a range."""
    width = (high - low).astype(np.float64)
    away = np.abs(np.rint(price) - low)
    if (beyond := away > width).any():
        away[beyond] %= np.maximum(1.0, 2 * np.broadcast_to(width, away.shape)[beyond])
        away = np.maximum(0.0, np.minimum(away, np.where(beyond, 2 * width - away, away)))
        away = np.minimum(away, width)
    folded: I64 = low + away.astype(np.int64)
    return folded
