"""
Who trades: the sign of each trade, a buyer's or a seller's.

Signs have a memory: large orders are hidden, and worked in many small trades of the same sign. Their lengths follow a power
law, and so does the autocorrelation of signs (Lillo, Mike, Farmer, "Theory for long memory in supply and demand", Phys. Rev. E
2005). In between come everybody else's trades, whose signs are coin flips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ticker.randomness.noise import Stream, bits, quantiles

__all__ = ["HiddenOrders", "OrderSigns"]

I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class HiddenOrders:
    """The parameters of the memory of signs."""

    exponent: float = 1.5
    """Of the lengths' power law, above 1: the autocorrelation of signs falls with this, less 1."""
    others: float = 0.375
    """The fraction of trades that are somebody else's, in sixteenths."""

    def __post_init__(self) -> None:
        if not 1 < self.exponent <= 10:
            raise ValueError(f"exponent {self.exponent!r} is not above 1, and at most 10")

    def signs(self, seed: int, symbols: Sequence[str]) -> "OrderSigns":
        """Give the signs of some symbols."""
        return OrderSigns(self, seed, symbols)


class OrderSigns:
    """
    Signs of the trades of all symbols.

    Args:
        model: the parameters.
        seed: the market's seed.
        symbols: the names.
    """

    def __init__(self, model: HiddenOrders, seed: int, symbols: Sequence[str]) -> None:
        self._stream = Stream(seed, "signs", symbols)
        self._lengths = _lengths(model.exponent)
        self._others = np.uint16(round(16 * model.others))
        self._order: I64 = np.zeros(len(symbols), dtype=np.int64)
        # A hidden order is under way when the market starts.
        self._left: I64 = self._length(self._stream.words(0, 1)[:, 0])

    def buys(self, symbol: I64, draw: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """
        Tell of each trade whether a buyer came.

        Args:
            symbol: the symbol of each trade, in symbol order.
            draw: 16 bits for each trade: the lowest is its own coin, bits 8 to 11 say whether it counts.
        """
        first = np.searchsorted(symbol, np.arange(len(self._left) + 1))
        order = self._orders(symbol, first)
        word = bits(self._stream.keys[symbol], order.astype(np.uint64))
        hidden = (word & np.uint64(1)).astype(bool)
        coin = (draw & np.uint16(1)).astype(bool)
        others = ((draw >> np.uint16(8)) & np.uint16(15)) < self._others
        return np.where(others, coin, hidden)

    def _orders(self, symbol: I64, first: I64) -> I64:
        """Give the number of the hidden order of each trade, and move on."""
        place = np.arange(len(symbol)) - first[symbol]
        # Each symbol could need as many new orders as it has trades; an order has at least one.
        number = self._order[symbol] + 1 + place
        lengths = self._length(bits(self._stream.keys[symbol], number.astype(np.uint64)))
        sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths)))
        begins = self._left[symbol] + sums[:-1] - sums[first[symbol]]
        trades = np.diff(first)
        begun = begins < trades[symbol]
        fresh = np.zeros(len(symbol), dtype=np.int64)
        fresh[(first[symbol] + begins)[begun]] = 1
        passed = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(fresh)))
        order: I64 = self._order[symbol] + passed[1:] - passed[first[symbol]]
        # What is left of the last order: where the first one that didn't begin would have begun.
        news = passed[first[1:]] - passed[first[:-1]]
        reach = self._left + sums[first[:-1] + news] - sums[first[:-1]]
        self._left = reach - trades
        self._order = self._order + news
        return order

    def _length(self, word: NDArray[np.uint64]) -> I64:
        return self._lengths[(word >> np.uint64(48)).astype(np.int64)]


@cache
def _lengths(exponent: float) -> I64:
    """Lengths of hidden orders, one for each 16-bit draw."""
    return quantiles(lambda u: np.floor(u ** (-1 / exponent))).astype(np.int64)
