"""Whole cents: under the rules of the US market, the only prices from a dollar on, however fine a symbol's own grid is (17 CFR 242.612)."""

import numpy as np
from numpy.typing import NDArray

from ticker.universe import Universe

__all__ = ["Rungs", "rounded", "standing", "ticks_in_a_cent", "widened"]

I64 = NDArray[np.int64]

_CENT, _HALF_CENT = 0.01, 0.005


def ticks_in_a_cent(universe: Universe) -> I64:
    """Give how many ticks a cent has, by symbol; 1 where the grid isn't finer: a half cent is a tick of its own."""
    ticks = universe.column("tick_size")
    return np.where(ticks < _HALF_CENT, np.rint(_CENT / ticks), 1).astype(np.int64)


def rounded(price: I64, cent: I64 | np.int64) -> I64:
    """Put prices in ticks from a dollar on to the nearest whole cents, given how many ticks one has; a lower price stays the lower one."""
    found: I64 = np.where(price >= 100 * cent, (price + cent // 2) // cent * cent, price)
    return found


def standing(universe: Universe, bid: I64, ask: I64, *, cents: bool) -> I64:
    """Give first prices and quotes of all symbols, shape (3, symbols), in ticks: with ``cents``, at whole ones from a dollar on."""
    price = universe.start_ticks().astype(np.int64)
    if cents:
        price, (bid, ask) = rounded(price, ticks_in_a_cent(universe)), widened(universe, bid, ask)
    return np.stack((price, bid, ask))


def widened(universe: Universe, bid: I64, ask: I64) -> tuple[I64, I64]:
    """Give quotes of all symbols, in ticks, that are at whole cents from a dollar on, and no narrower than some others."""
    cent = ticks_in_a_cent(universe)
    dollar = 100 * cent
    bids: I64 = np.where(bid > dollar, bid // cent * cent, bid)
    asks: I64 = np.where(ask > dollar, -(-ask // cent) * cent, ask)
    return bids, asks


class Rungs:
    """
    Numbers the prices that orders may have: 1 for the lowest, then each next one, ticks up to a dollar and cents from there on.

    Args:
        cent: how many ticks a cent has, by symbol.
    """

    def __init__(self, cent: I64) -> None:
        self.cent = cent
        self._all_alike = bool((cent == 1).all())

    def above(self, symbol: NDArray[np.integer], ticks: I64) -> NDArray[np.bool_]:
        """Tell which prices are a dollar or more; ``symbol`` and prices broadcast together."""
        found: NDArray[np.bool_] = ticks >= 100 * self.cent[symbol]
        return found

    def outward(self, symbol: NDArray[np.integer], side: I64, ticks: I64) -> I64:
        """Give bids (side 0) and asks (1) as they are where they have to be at whole cents: no narrower than these."""
        if self._all_alike:
            return ticks
        cent = self.cent[symbol]
        wider = np.where(side == 0, ticks // cent, -(-ticks // cent)) * cent
        out: I64 = np.where(ticks > 100 * cent, wider, ticks)
        return out

    def nearest(self, symbol: NDArray[np.integer], ticks: I64) -> I64:
        """Give prices as they are where they have to be at whole cents: the nearest ones."""
        if self._all_alike:
            return ticks
        cent = self.cent[symbol]
        out: I64 = np.where(ticks >= 100 * cent, (ticks + cent // 2) // cent * cent, ticks)
        return out

    def of(self, symbol: NDArray[np.integer], ticks: I64) -> I64:
        """Give the numbers of prices in ticks; of what is between two, that of the lower one."""
        if self._all_alike:
            return ticks
        cent = self.cent[symbol]
        over = np.maximum(0, ticks - 100 * cent)
        rungs: I64 = ticks - over + over // cent
        return rungs

    def ticks(self, symbol: NDArray[np.integer], rungs: I64) -> I64:
        """Give the prices in ticks that have some numbers."""
        if self._all_alike:
            return rungs
        cent = self.cent[symbol]
        ticks: I64 = rungs + np.maximum(0, rungs - 100 * cent) * (cent - 1)
        return ticks
