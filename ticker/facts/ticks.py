"""A stretch of a tape as arrays, in symbol order: what all measures are made from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TRADES, TickBatch

__all__ = ["Ticks", "lee_ready"]

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ticks:
    """Trades and quotes, by symbol, then in the order in which they happened."""

    symbol: I64
    """Symbol id."""
    time: I64
    """Microseconds since the session's start."""
    quote: NDArray[np.bool_]
    """Whether it is a quote, else it is a trade."""
    price: F64
    """Of a trade; the bid of a quote. In ticks."""
    ask: F64
    """Of a quote, in ticks."""
    size: F64
    """Of a trade, in shares."""

    def __len__(self) -> int:
        return len(self.symbol)

    @classmethod
    def sort(
        cls, symbol: I64, time: I64, quote: NDArray[np.bool_], price: F64, ask: F64, size: F64
    ) -> "Ticks":
        """Bring rows that are in the order of the market into symbol order."""
        order = np.argsort(symbol, kind="stable")
        return cls(symbol[order], time[order], quote[order], price[order], ask[order], size[order])

    @classmethod
    def of(cls, batch: TickBatch, start_us: int) -> "Ticks":
        """Take the trades and quotes of a market's batch; times are since ``start_us``."""
        rows = (batch.channel == TRADES) | (batch.channel == QUOTES)
        return cls.sort(
            batch.symbol[rows].astype(np.int64),
            batch.time[rows] - start_us,
            batch.channel[rows] == QUOTES,
            batch.price[rows].astype(np.float64),
            batch.ask[rows].astype(np.float64),
            batch.size[rows].astype(np.float64),
        )


def lee_ready(ticks: Ticks, bid: F64, ask: F64) -> NDArray[np.int8]:
    """
    Tell who started each trade, 1 a buyer, -1 a seller, 0 unknown (Lee and Ready, J. Finance 1991).

    Above the middle of the standing quote a buyer did, below it a seller; in the middle, the last change of the
    trade price decides.

    Args:
        ticks: all rows; the answer is about its trades, in their order.
        bid: the bid that stood before, by symbol; NaN: none.
        ask: likewise.
    """
    symbols = len(bid)
    first = np.searchsorted(ticks.symbol, np.arange(symbols + 1))
    row = np.maximum.accumulate(np.where(ticks.quote, np.arange(len(ticks)), -1))
    fresh = row >= first[ticks.symbol]
    middle = np.where(fresh, (ticks.price + ticks.ask)[row] / 2, ((bid + ask) / 2)[ticks.symbol])
    trade = ~ticks.quote
    price, symbol = ticks.price[trade], ticks.symbol[trade]
    with np.errstate(invalid="ignore"):
        sign = np.nan_to_num(np.sign(price - middle[trade])).astype(np.int8)
    change = np.sign(np.diff(price, prepend=np.nan))
    change[np.diff(symbol, prepend=-1) != 0] = 0
    # The last change that wasn't 0, of the same symbol.
    begin = np.searchsorted(symbol, np.arange(symbols + 1))
    last = np.maximum.accumulate(np.where(change != 0, np.arange(len(price)), -1))
    tick_test = np.where(last >= begin[symbol], change[last], 0).astype(np.int8)
    return np.where(sign != 0, sign, tick_test)
