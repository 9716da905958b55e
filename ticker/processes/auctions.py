"""
Auctions: how many shares trade in the print with which a regular session opens, and in the one with which it closes.

The closing auction had 7.5 % of the volume of US stocks in 2018, up from 3.1 % in 2010 (Bogousslavsky, Muravyev, "Who trades at the
close? Implications for price discovery and liquidity", J. Financial Markets 66, 2023); the opening one is several times smaller.
"""

import numpy as np
from numpy.typing import NDArray

from ticker.randomness.draws import mean_trade_lots
from ticker.randomness.noise import Stream, bits, halves
from ticker.trading_day.shape import DAY_S
from ticker.universe import Universe

__all__ = ["AT_ONCE", "CLOSING", "OPENING", "Auctions"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

OPENING, CLOSING = 0.015, 0.08
"""The share of a day's volume in each of them."""

AT_ONCE = 1_000
"""Symbols that have theirs in the same microsecond: a message must hold their events."""


class Auctions:
    """
    Gives the sizes of prints.

    Args:
        universe: what is traded.
        seed: the market's seed.
        trades_s: trades a second and symbol, on the average of the regular session.
    """

    def __init__(self, universe: Universe, seed: int, trades_s: float) -> None:
        self._keys = Stream(seed, "us.auction", universe.symbols).keys
        self._lot = universe.column("round_lot").astype(np.int64)
        shares = trades_s * universe.column("activity") * mean_trade_lots() * self._lot
        self._day_volume = shares * DAY_S

    def shares(self, symbols: I64, time_us: I64, share: float, busy: F64 | float = 1.0) -> I64:
        """
        Give the shares of prints: whole round lots, at least one where anything trades.

        Args:
            symbols: whose each is.
            time_us: when the session begins or ends, of each.
            share: :data:`OPENING` or :data:`CLOSING`.
            busy: how much busier than usual the day of each is.
        """
        draws = halves(bits(self._keys[symbols], time_us.astype(np.uint64)))[..., 0] / 65536
        lot, volume = self._lot[symbols], self._day_volume[symbols]
        lots = volume * share * busy * (0.6 + 0.8 * draws) / lot
        whole = np.where(volume > 0, np.maximum(1, np.rint(lots)), 0)
        return whole.astype(np.int64) * lot
