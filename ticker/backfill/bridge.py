"""
The bridge: prices of the parts of a bar whose first, highest, lowest and last price are known.

Some random walks in trades (the clock of trades: Ané, Geman, J. Finance 2000) are tied to the first and the last price, as a
Brownian bridge is to its two ends, and each of their parts gets a highest and a lowest price. Of these walks the one whose own extremes
are nearest to those of the bar is taken (the nearest of some draws stands for a draw under a condition: Rubin, Annals of
Statistics 1984), and what it has above and below its two ends is stretched until it fits. Stretching changes the order of no two
prices, so what is above another stays above it, at any refinement.

The maximum of a bridge from a to b of variance s² is (a + b + sqrt((b - a)² - 2 s² log U)) / 2 (Karatzas and Shreve,
"Brownian Motion and Stochastic Calculus", 2.8); that of a walk of single steps is 0.5826 steps lower (Broadie, Glasserman,
Kou, Mathematical Finance 1997).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.spans import Spans
from ticker.randomness.noise import EXPONENTIAL_ONE, NORMAL_ONE, exponentials, normals

__all__ = ["Prices", "Shared", "extremes", "free", "tied"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Draws = NDArray[np.uint16]

_STEP = 0.5826
_FEW = 8  # trades of a part that has no halves
_FAR = 1 << 62
_LEAST = 1e-12  # a variance above 0, so that trades take their way


Shared = tuple[float, F64]
"""The loading of steps on what is a symbol's own, and what they have in common with others', shape (n, parts)."""


class Prices(NamedTuple):
    """Of some parts, shape (spans, parts), in ticks."""

    open: I64
    high: I64
    low: I64
    close: I64


class _Walk(NamedTuple):
    """The same on the way there: since the first price of each span."""

    open: F64
    high: F64
    low: F64
    close: F64


def free(
    spans: Spans,
    edges: I64,
    variance: F64,
    draws: Draws,
    shared: Shared | None,
    most: int,
) -> Prices:
    """
    Draw the prices of the parts of some spans of which only the first and the last price are known.

    Args:
        spans, edges, variance, shared: as for :func:`tied`.
        draws: eight a part, shape (8, n, parts).
        most: the highest price there may be.
    """
    opened, _, _, closed = (c[0] for c in _walks(spans, edges, variance, draws[None, :4], shared))
    high, low = _halved(opened, closed, np.diff(edges, axis=1), variance, draws)
    at = spans.open[:, None]
    prices = (np.rint(price).astype(np.int64) + at for price in (opened, high, low, closed))
    return Prices(*(np.clip(price, 1, most) for price in prices))


def _halved(opened: F64, closed: F64, count: I64, variance: F64, draws: Draws) -> tuple[F64, F64]:
    """Draw extremes of two halves, where there are enough trades: high and low depend on each other."""
    half = count // 2
    deviation = np.sqrt(np.maximum(count - 1, 0) * variance) / 2 / NORMAL_ONE
    middle = (opened + closed) / 2 + deviation * normals(draws[4])
    parts = (
        extremes(opened, middle, half + 1, variance, (draws[2], draws[3])),
        extremes(middle, closed, count - half, variance, (draws[5], draws[6])),
    )
    (high, low), (late_high, late_low) = parts
    high, low = np.maximum(high, late_high), np.minimum(low, late_low)
    few = count < _FEW
    ends, both = (opened[few], closed[few]), (draws[2][few], draws[3][few])
    high[few], low[few] = extremes(*ends, count[few], variance[few], both)
    return high, low


def tied(
    spans: Spans, edges: I64, variance: F64, draws: Draws, shared: Shared | None = None
) -> Prices:
    """
    Draw the prices of the parts of some spans.

    Args:
        spans: what is refined, shape (n,); each has a trade.
        edges: the trade with which each part begins and the last one ends, shape (n, parts + 1).
        variance: of the price from one trade to the next, in square ticks, shape (n, parts).
        draws: four for each walk there is to choose from, and part, shape (4 * walks, n, parts).
        shared: what a symbol's steps have in common with others'.
    """
    walks = _walks(
        spans, edges, variance, draws.reshape(len(draws) // 4, 4, *draws.shape[1:]), shared
    )
    there = np.diff(edges, axis=1) > 0
    above = np.where(there, walks.high, -np.inf).max(axis=2)
    below = np.where(there, walks.low, np.inf).min(axis=2)
    high, low = spans.high - spans.open, spans.low - spans.open
    nearest = ((above - high) ** 2 + (below - low) ** 2).argmin(axis=0)
    row = np.arange(len(nearest))
    end = spans.close - spans.open
    up = _factor(high - np.maximum(end, 0), above[nearest, row] - np.maximum(end, 0))
    down = _factor(np.minimum(end, 0) - low, np.minimum(end, 0) - below[nearest, row])
    found = Prices(*(_stretched(column[nearest, row], spans, up, down) for column in walks))
    lacking = np.flatnonzero(
        (np.where(there, found.high, 0).max(axis=1) < spans.high)
        | (np.where(there, found.low, spans.high[:, None]).min(axis=1) > spans.low)
    )
    if len(lacking):
        some = Prices(*(column[lacking] for column in found))
        for column, changed in zip(
            found, _touched(some, spans.take(lacking), edges[lacking]), strict=True
        ):
            column[lacking] = changed
    return found


def extremes(
    opened: F64, closed: F64, count: I64, variance: F64, draws: tuple[Draws, Draws]
) -> tuple[F64, F64]:
    """
    Draw the highest and the lowest price of some parts, which are other trades than the first and the last.

    Args:
        opened: the first price of each.
        closed: the last one.
        count: how many trades each has. Of three, one is in between: it is either.
        variance: of the price from one trade to the next.
        draws: for the one and for the other.
    """
    top, bottom = np.maximum(opened, closed), np.minimum(opened, closed)
    squared = (closed - opened) ** 2
    whole = 2 / EXPONENTIAL_ONE * np.maximum(count - 1, 0) * variance
    upper, lower = (np.sqrt(squared + whole * exponentials(draw)) / 2 for draw in draws)
    middle, less = (opened + closed) / 2, _STEP * np.sqrt(variance)
    coin = (draws[0] & np.uint16(1)).astype(bool)
    high = np.where((count > 3) | (count == 3) & coin, middle + upper - less, top)
    low = np.where((count > 3) | (count == 3) & ~coin, middle - lower + less, bottom)
    return np.maximum(high, top), np.minimum(low, bottom)


def _walks(spans: Spans, edges: I64, variance: F64, draws: Draws, shared: Shared | None) -> _Walk:
    """Give walks from the first to the last price of each span, which is 0: shape (walks, n, parts)."""
    first, count = edges[:, :-1], np.diff(edges, axis=1)
    variance = np.maximum(variance, _LEAST)
    # To the first trade of a part, and on to its last one.
    passed = np.zeros((*first.shape, 2))
    passed[..., 0] = np.where((count > 0) & (first > 0), variance, 0.0)
    passed[..., 1] = np.maximum(count - 1, 0) * variance
    deviation = np.sqrt(passed)
    steps = np.empty((len(draws), *passed.shape))
    steps[..., 0] = normals(draws[:, 0])
    steps[..., 1] = normals(draws[:, 1])
    steps /= NORMAL_ONE
    if shared:
        steps[..., 1] *= shared[0]
        steps[..., 1] += shared[1]
    steps *= deviation
    flat = (len(first), 2 * first.shape[1])
    walk = np.cumsum(steps.reshape(len(draws), *flat), axis=2)
    time = np.cumsum(passed.reshape(flat), axis=1)
    share = time / np.maximum(time[:, -1:], _LEAST)
    end = (spans.close - spans.open)[:, None].astype(np.float64)
    walk += share * (end - walk[..., -1:])
    # Exact, or else what rounding makes of it would be stretched.
    np.copyto(walk, end, where=time == time[:, -1:])
    opened, closed = walk[..., 0::2], walk[..., 1::2]
    high, low = extremes(opened, closed, count, variance, (draws[:, 2], draws[:, 3]))
    return _Walk(opened, high, low, closed)


def _factor(wanted: I64, there: F64) -> F64:
    """Tell by how much to stretch what there is, so that it is as long as it should be."""
    return np.where(there > 0, wanted / np.where(there > 0, there, 1.0), 0.0)


def _stretched(price: F64, spans: Spans, up: F64, down: F64) -> I64:
    """Stretch what is above and below the two ends, and bring it onto the grid."""
    end = spans.close - spans.open
    top, bottom = (edge(end, 0)[:, None] for edge in (np.maximum, np.minimum))
    price = np.where(price > top, top + (price - top) * up[:, None], price)
    price = np.where(price < bottom, bottom + (price - bottom) * down[:, None], price)
    found: I64 = np.rint(price).astype(np.int64) + spans.open[:, None]
    return np.clip(found, spans.low[:, None], spans.high[:, None])


def _touched(prices: Prices, spans: Spans, edges: I64) -> Prices:
    """Have a trade at the highest price, and one at the lowest, where the walk had none there."""
    prices = _lifted(prices, spans.high, edges)
    return _mirrored(_lifted(_mirrored(prices), -spans.low, edges))


def _mirrored(prices: Prices) -> Prices:
    return Prices(-prices.open, -prices.low, -prices.high, -prices.close)


def _lifted(prices: Prices, highest: I64, edges: I64) -> Prices:
    """Have the nearest trade, but the first and the last one, at the highest price, where none is."""
    opened, high, low, closed = (column.copy() for column in prices)
    first, count = edges[:, :-1], np.diff(edges, axis=1)
    last = edges[:, -1:] - 1
    above, below = high > np.maximum(opened, closed), low < np.minimum(opened, closed)
    free = np.stack(
        (
            (count > 3) | (count == 3) & ~below,  # one in between that isn't the lowest
            (count > 0) & (first > 0) & (first < last),
            (count > 1) & (first + count - 1 < last),
        ),
        axis=1,
    )
    row = np.flatnonzero(np.where(count > 0, high, -_FAR).max(axis=1) < highest)
    if not len(row):
        return prices
    values = np.where(free[row], np.stack((high, opened, closed), axis=1)[row], -_FAR)
    kind, part = np.divmod(values.reshape(len(row), -1).argmax(axis=1), high.shape[1])
    at = highest[row]
    high[row[kind == 0], part[kind == 0]] = at[kind == 0]
    above[row[kind == 0], part[kind == 0]] = True
    single = count[row, part] == 1
    for column, which in ((opened, kind == 1), (closed, (kind == 2) | (kind == 1) & single)):
        column[row[which], part[which]] = at[which]
    top, bottom = np.maximum(opened, closed), np.minimum(opened, closed)
    high = np.where(above, np.maximum(high, top), top)
    return Prices(opened, high, np.where(below, np.minimum(low, bottom), bottom), closed)
