"""
Refining: splits a bar into the shorter bars that it is made of, exactly.

A bar is known by its first, highest, lowest and last price, by its volume and by how many trades it has. The shorter ones share
out the trades, the volume and the variance; their prices are those of a walk that is tied to these four (:mod:`ticker.backfill.bridge`). So
what is put together from them again is the bar that there was.
"""

import numpy as np
from numpy.typing import NDArray

from ticker.backfill.bridge import Shared, tied
from ticker.backfill.spans import Spans
from ticker.randomness.draws import mean_trade_lots, trade_sizes

__all__ = ["refine", "share_out", "share_variance", "share_volume"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
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


def refine(
    spans: Spans,
    start: I64,
    edges: I64,
    draws: Draws,
    wild: F64 | None = None,
    shared: Shared | None = None,
) -> Spans:
    """
    Give the parts of some spans.

    Args:
        spans: what is refined, shape (n,); each has a trade.
        start: when each part begins, in seconds, shape (n, parts).
        edges: the trade with which each part begins and the last one ends, shape (n, parts + 1).
        draws: shape (4 + 4 * walks, n, parts): the second is used, and those from the fifth on.
        wild: how much of the variance each part has, of any unit, shape (n, parts); None: as its trades have it.
        shared: what a symbol's steps have in common with others'.
    """
    count = np.diff(edges, axis=1)
    variance = share_variance(spans, count, wild)
    prices = tied(spans, edges, variance, draws[4:], shared)
    volume = share_volume(spans.volume, count, draws[1])
    return Spans(start, *prices, volume, count, variance)


def share_variance(spans: Spans, count: I64, wild: F64 | None) -> F64:
    """
    Give the variance of a trade in each part; the sum over all trades stays.

    Args:
        spans: what is refined, shape (n,).
        count: the trades of each part, shape (n, parts).
        wild: how much of the variance each part has, of any unit, shape (n, parts); None: as its trades have it.
    """
    variance = np.repeat(spans.variance[:, None], count.shape[1], axis=1)
    if wild is None:
        return variance
    # Summed in the order of time, so that the last bit is always the same.
    whole = np.cumsum(np.where(count > 0, wild, 0.0), axis=1)[:, -1:]
    share: F64 = wild / np.maximum(1, count) * spans.trades[:, None] / np.maximum(whole, 1e-300)
    return variance * share


def share_volume(volume: I64, count: I64, draw: Draws) -> I64:
    """Share out volume: one share each trade, and the rest as sizes of trades are."""
    mean = 100 * mean_trade_lots()
    weights = np.where(count > 0, np.maximum(count - 1, 0) * mean + trade_sizes()[draw], 0.0)
    middle = np.full(len(volume), 0.5)
    edges = share_out(volume - count.sum(axis=1), weights, middle)
    return count + np.diff(edges, axis=1)
