"""
The touch: the best bid and ask of each symbol, and what trades leave of them.

A trade at the best bid or ask takes its shares off that side, and is no larger than what is shown. What is left is shown in whole round
lots, as quotes show no others: the rest of a round lot that an odd lot took from isn't shown any more (17 CFR 242.600(b)(93)). When
nothing is left, the level behind becomes the best one, at a size of its own. A trade between bid and ask takes nothing: it met an
order that isn't shown; neither does a block, which two parties agreed on elsewhere.

All trades since the last *fresh* quote, which knows nothing of trades, are at the prices of that one. So those that come when it is gone
already are between bid and ask; what is left after each is what there was less a running sum, and no loop runs over trades.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.ladder import Ladders
from ticker.randomness.draws import BLOCK_LOTS, lots, trade_sizes

__all__ = ["Points", "Standing", "Touch", "latest", "remaining"]

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]
Draws = NDArray[np.uint16]


class Points(NamedTuple):
    """Quotes of a block in symbol order; bids in row 0, asks in row 1. Those that aren't fresh are behind trades."""

    symbol: I64
    """Of each."""
    first: I64
    """Where those of each symbol begin, with the end, shape (symbols + 1,)."""
    fresh: Flags
    price: I64
    """Ticks, shape (2, points)."""
    lots: I64
    """Sizes in round lots, shape (2, points)."""


class Standing(NamedTuple):
    """What stands when trades come, a trade a column."""

    row: NDArray[np.intp]
    """Which of the points each trade is."""
    symbol: I64
    price: I64
    """Of the last fresh quote, in ticks, shape (2, trades)."""
    lots: I64
    """What was left of it when the block began, or what it had, shape (2, trades); 0 or less: nothing."""
    begin: NDArray[np.intp]
    """Which trade is the first of those since that quote, in the block."""


class Touch:
    """
    The standing quotes of all symbols.

    Args:
        ladders: tells which level is behind the best one.
        lot: the round lot of each symbol.
        bid, ask: the quote at the start, in ticks, of one round lot each.
        takes: whether trades take anything.
    """

    def __init__(self, ladders: Ladders, lot: I64, bid: I64, ask: I64, *, takes: bool) -> None:
        self._ladders, self._lot, self._takes = ladders, lot, takes
        self.price: I64 = np.stack((bid, ask))
        """The quotes as they are shown, in ticks, shape (2, symbols)."""
        self._lots: I64 = np.ones_like(self.price)
        self._fresh = self.price.copy()  # the last fresh quotes
        self._left = self._lots.copy()  # and what is left of them
        self._sizes, self._quoted = trade_sizes(), lots()
        whole = -(-self._sizes // 100)
        self._taken = np.where(whole < BLOCK_LOTS, whole, 0)

    def standing(self, points: Points) -> Standing:
        """Give what stands when trades come."""
        symbol, first, fresh, price, held = points
        row = np.flatnonzero(~fresh)
        mine = symbol[row]
        last = latest(fresh)[row]
        begins = np.empty(len(row), dtype=bool)
        begins[:1] = True
        begins[1:] = (mine[1:] != mine[:-1]) | (last[1:] != last[:-1])
        stands, left = price.take(last, axis=1), held.take(last, axis=1)
        # There was none yet in the block.
        old = np.flatnonzero(last < first[mine])
        stands[:, old], left[:, old] = self._fresh[:, mine[old]], self._left[:, mine[old]]
        return Standing(row, mine, stands, left, latest(begins))

    def take(
        self, points: Points, standing: Standing, traded: I64, size: Draws, other: Draws
    ) -> I64:
        """
        Take trades off the touch, and note what stands at the end.

        Args:
            points: the quotes; what each trade leaves is put there, in place.
            standing: what stands when they come.
            traded: the prices of trades.
            size: the draw of each one's size.
            other: the draw of the size of what is behind.

        Returns:
            The sizes of the trades, in shares.
        """
        at, most = standing.price == traded, self._taken[size]
        taken = at * (most if self._takes else 0 * most)
        taken[0] *= traded > 1  # there is no level below the lowest price
        left = remaining(standing.lots, taken, standing.begin)
        price, held = self._behind(standing, left, left + taken, other)
        shown = (at * (left + taken)).sum(axis=0)
        lot = self._lot[standing.symbol]
        shares: I64 = np.maximum(1, self._sizes[size] * lot // 100)
        shares = np.where((shown > 0) & (most > 0), np.minimum(shares, shown * lot), shares)
        for side in (0, 1):
            points.price[side][standing.row], points.lots[side][standing.row] = (
                price[side],
                held[side],
            )
        self._settle(points, standing, left)
        return shares

    def _behind(self, standing: Standing, left: I64, before: I64, other: Draws) -> tuple[I64, I64]:
        """Give the quote behind each trade, and its sizes in round lots."""
        price, held = standing.price.copy(), left.copy()
        last = (left <= 0) & (before > 0)
        side, row = np.nonzero(last)
        best = price[side, row]
        next_best = self._ladders.behind(standing.symbol[row], side, best)
        price[side, row] = np.where(next_best < 1, np.maximum(1, best - 1), next_best)
        held[side, row] = self._quoted[other[row]]
        # What came in its place stays until the next fresh quote, if need be from the block before.
        side, row = np.nonzero(left <= 0)
        since = latest(last)
        since = since[side, row]
        here, symbol = since >= standing.begin[row], standing.symbol[row]
        price[side, row] = np.where(here, price[side, since], self.price[side, symbol])
        held[side, row] = np.where(here, held[side, since], self._lots[side, symbol])
        return price, held

    def _settle(self, points: Points, standing: Standing, left: I64) -> None:
        """Note what stands at the end of a block."""
        first = points.first
        present = np.flatnonzero(first[1:] > first[:-1])
        ends = first[1:][present] - 1
        self.price[:, present] = self._fresh[:, present] = points.price[:, ends]
        self._lots[:, present] = self._left[:, present] = points.lots[:, ends]
        traded = ~points.fresh[ends]
        at = np.searchsorted(standing.row, ends[traded])
        self._fresh[:, present[traded]] = standing.price[:, at]
        self._left[:, present[traded]] = left[:, at]


def remaining(shown: I64, taken: I64, begin: NDArray[np.intp]) -> I64:
    """
    Give what is left after each of some trades, along the last axis; 0 or less: nothing.

    Args:
        shown: what there was before the first of those that belong together.
        taken: by each.
        begin: which is the first of those that belong together, for each.
    """
    sums = np.cumsum(taken, axis=-1)
    base = (sums - taken).take(begin, axis=-1)
    left: I64 = shown - (sums - base)
    return left


def latest(flags: Flags) -> NDArray[np.intp]:
    """Give the last one at which a flag is set, up to each, itself included, along the last axis; -1: none."""
    return np.maximum.accumulate(np.where(flags, np.arange(flags.shape[-1]), -1), axis=-1)
