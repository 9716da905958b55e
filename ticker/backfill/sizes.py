"""
The sizes of trades in the past of a market in which not all of them move prices: who is a round lot does, and who is an odd lot doesn't.

They are those of the market itself (:func:`~ticker.randomness.draws.trade_sizes`): half of the draws are odd lots.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.randomness.draws import met_sizes, trade_sizes

__all__ = ["Movers", "Sizes", "odd_sizes"]

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_HALF = 1 << 15


class Movers(NamedTuple):
    """The trades that move prices; days have their volume in round lots then, and a print at each end."""

    share: F64
    """Of a symbol's trades, by symbol."""
    lots: F64
    """Their mean size."""


class Sizes(NamedTuple):
    """Mean sizes of a symbol's trades, by symbol."""

    movers: Movers
    odd: F64
    """Of odd lots, in shares."""
    all: F64
    """In shares."""

    @classmethod
    def of(cls, lots: I64) -> "Sizes":
        """Give those of symbols with some round lots; a lot of one share is never odd."""
        kinds, row = np.unique(lots, return_inverse=True)
        table, columns = trade_sizes(), []
        for lot in kinds.tolist():
            shares = np.maximum(1, table * lot // 100)
            odd = shares < lot
            shares = np.where(odd, shares, met_sizes() * lot / 100)
            means = [float(shares[some].mean()) if some.any() else 0.0 for some in (~odd, odd)]
            columns.append((1 - float(odd.mean()), means[0] / lot, means[1], float(shares.mean())))
        share, size, odd_size, every = np.array(columns).T[:, row]
        return cls(Movers(share, size), odd_size, every)

    def unbroken(self) -> "Sizes":
        """Give those of symbols all of whose trades move prices."""
        return self._replace(movers=self.movers._replace(share=np.ones_like(self.odd)))


def odd_sizes(draws: NDArray[np.uint16]) -> I64:
    """Give sizes of odd lots, in hundredths of a round lot."""
    sizes: I64 = trade_sizes()[draws & np.uint16(_HALF - 1)]
    return sizes
