"""
Refining: splits a bar into the shorter bars that it is made of, exactly.

Of a bar are known its first, highest, lowest and last price, its volume, its number of trades, and which of
these are the highest and the lowest. The shorter bars share out the trades and the volume; their first and last prices
lie on a walk that is tied to the four prices (:mod:`ticker.tied`). So putting them together again gives the original bar.

High and low of a part are those of a Brownian bridge: the maximum of a bridge from a to b of variance s² is
(a + b + sqrt((b - a)² - 2 s² log U)) / 2 (Karatzas and Shreve, "Brownian Motion and Stochastic Calculus", 2.8).
"""

import numpy as np
from numpy.typing import NDArray

from ticker.draws import mean_trade_lots, trade_sizes
from ticker.noise import EXPONENTIAL_ONE, exponentials
from ticker.spans import Spans
from ticker.tied import ends

__all__ = ["dressed", "refine", "share_out"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]
Draws = NDArray[np.uint16]


def share_out(total: I64, weights: F64, phase: F64) -> I64:
    """
    Share out whole numbers by weights, so that nothing is left over and, over all phases, nobody is favoured.

    Args:
        total: what is shared out, shape (n,).
        weights: not negative, shape (n, parts).
        phase: from 0 to below 1, shape (n,).

    Returns:
        Where each part begins and the last one ends, shape (n, parts + 1).
    """
    sums = np.cumsum(weights, axis=1)
    whole = sums[:, -1:]
    edges = np.zeros((len(total), weights.shape[1] + 1), dtype=np.int64)
    scaled = total[:, None] * (sums / np.where(whole > 0, whole, 1.0)) + phase[:, None]
    edges[:, 1:] = np.minimum(np.floor(scaled), total[:, None])
    # What is exact in numbers may be one off as a float.
    np.maximum.accumulate(edges, axis=1, out=edges)
    edges[:, 1:][sums == whole] = np.broadcast_to(total[:, None], sums.shape)[sums == whole]
    return edges


def refine(spans: Spans, start: I64, edges: I64, draws: Draws, variance: F64) -> Spans:
    """
    Give the parts of some spans.

    Args:
        spans: what is refined, shape (n,); each has a trade.
        start: when each part begins, in seconds, shape (n, parts).
        edges: the trade with which each part begins and the last one ends, shape (n, parts + 1).
        draws: eight a part, shape (8, n, parts): of the first, :func:`share_out` may have made its weights.
        variance: of the price from one trade to the next, in square ticks, shape (n,).
    """
    first, count = edges[:, :-1], np.diff(edges, axis=1)
    opened, closed = ends(spans, first, count, draws, variance)
    known = (
        np.where((at[:, None] >= first) & (at[:, None] < edges[:, 1:]), at[:, None] - first, -1)
        for at in (spans.high_at, spans.low_at)
    )
    return dressed(
        start,
        (opened, closed),
        _volumes(spans.volume, count, draws[1]),
        count,
        draws[4:],
        variance[:, None],
        limits=(spans.high[:, None], spans.low[:, None]),
        known=tuple(known),
    )


def dressed(
    start: I64,
    ends: tuple[I64, I64],
    volume: I64,
    count: I64,
    draws: Draws,
    variance: F64,
    *,
    limits: tuple[I64 | int, I64 | int],
    known: tuple[I64 | int, ...] = (-1, -1),
) -> Spans:
    """
    Draw what spans lack: their highest and lowest prices, and which trades these are.

    Args:
        start: when each begins, in seconds.
        ends: the first and the last price of each.
        volume: shares.
        count: trades.
        draws: four each, shape (4, ...).
        variance: of the price from one trade to the next.
        limits: the highest and the lowest price that there may be.
        known: the trades that are at these; -1: they are elsewhere.
    """
    opened, closed = ends
    top, bottom = np.maximum(opened, closed), np.minimum(opened, closed)
    highest, lowest = _reach(opened, closed, np.maximum(count - 1, 0) * variance, draws[:2])
    at_high, at_low = known
    high = np.clip(highest, top, limits[0])
    place, room = _place(count, ends, high, at_low, limits[1], draws[2])
    high = np.where(room, high, top)
    end = np.where(opened >= closed, 0, count - 1)
    high_at = np.where(at_high >= 0, at_high, np.where(high > top, place, end))
    high = np.where(at_high >= 0, limits[0], high)
    low = np.clip(lowest, limits[1], bottom)
    place, room = _place(count, ends, low, high_at, high, draws[3])
    low = np.where(room, low, bottom)
    end = np.where(opened <= closed, 0, count - 1)
    low_at = np.where(at_low >= 0, at_low, np.where(low < bottom, place, end))
    low = np.where(at_low >= 0, limits[1], low)
    return Spans(start, opened, high, low, closed, volume, count, high_at, low_at)


def _reach(opened: I64, closed: I64, variance: F64, draws: Draws) -> tuple[I64, I64]:
    """Draw the highest and the lowest price of bridges of some variance."""
    middle, squared = (opened + closed).astype(np.float64), (closed - opened).astype(np.float64)
    squared *= squared
    above, below = (
        np.sqrt(squared + 2 / EXPONENTIAL_ONE * variance * exponentials(draw)) for draw in draws
    )
    highest = np.rint((middle + above) / 2).astype(np.int64)
    lowest = np.maximum(1, np.rint((middle - below) / 2)).astype(np.int64)
    return highest, lowest


def _place(
    count: I64,
    ends: tuple[I64, I64],
    extreme: I64,
    taken: I64 | int,
    taken_price: I64 | int,
    draw: Draws,
) -> tuple[I64, Flags]:
    """
    Draw which trade is at an extreme price: neither the first nor the last, nor one that is taken, which is at another price.

    Returns:
        The trades, and whether there is one.
    """
    last = count - 1
    inside = (taken > 0) & (taken < last)
    cut = np.where(inside, taken, last)  # it is before this one, or between this one and the last
    before = np.maximum(0, cut - 1)
    uniform = draw / 65536 * np.maximum(1, before + np.where(inside, last - cut - 1, 0))
    later = uniform >= before
    uniform = np.where(later, uniform - before, uniform)
    begin, end = np.where(later, cut, 0), np.where(later, last, cut)
    room = end - begin - 1
    uniform /= np.maximum(1, room)
    here, there = (
        np.where(later, taken_price, ends[0]),
        np.where(later | ~inside, ends[1], taken_price),
    )
    # It takes the more trades to get there, and away, the longer the way is.
    way, back = np.abs(extreme - here), np.abs(extreme - there)
    share = way / np.maximum(1, way + back)
    share += 1.6 * (uniform - 0.5) * np.minimum(share, 1 - share)
    place = begin + 1 + np.minimum(share * room, room - 1).astype(np.int64)
    return place, room > 0


def _volumes(volume: I64, count: I64, draw: Draws) -> I64:
    """Share out volume: one share each trade, and the rest as sizes of trades are."""
    mean = 100 * mean_trade_lots()
    weights = np.where(count > 0, np.maximum(count - 1, 0) * mean + trade_sizes()[draw], 0.0)
    middle = np.full(len(volume), 0.5)
    edges = share_out(volume - count.sum(axis=1), weights, middle)
    return count + np.diff(edges, axis=1)
