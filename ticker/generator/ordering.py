"""Where the events of a block are: in symbol order, in groups, and in the order of time."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, TRADES, TickBatch
from ticker.generator.touch import Points
from ticker.processes.arrivals import Times

__all__ = ["MAX_BLOCK_EVENTS", "Places", "Trades", "in_time_order"]

I64 = NDArray[np.int64]

MAX_BLOCK_EVENTS = 1 << 24
"""The sort key of a block has 24 bits for the row."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the events of a block are, in symbol order, in groups: the cells that have events."""

    symbol: I64
    """The symbol of each event."""
    cell: I64
    """The cell of each event, in the block."""
    group: I64
    """The group of each event."""
    place: I64
    """The place of each event in its cell, from 0."""
    starts: I64
    """The row of each group's first event."""
    count: I64
    """How many events each group has."""

    @classmethod
    def of(cls, times: Times, cells: int) -> "Places":
        fresh = np.diff(times.cell, prepend=-1) != 0
        starts = np.flatnonzero(fresh)
        group = np.cumsum(fresh) - 1
        symbol = times.cell // cells
        return cls(
            symbol,
            times.cell - symbol * cells,
            group,
            np.arange(len(group)) - starts[group],
            starts,
            np.diff(starts, append=len(group)),
        )

    def running(self, values: I64) -> tuple[I64, I64]:
        """Sums from the start of each event's group up to the event, and each group's total."""
        sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(values)))
        base = sums[self.starts]
        return sums[1:] - base[self.group], sums[self.starts + self.count] - base


class Trades(NamedTuple):
    """The trades of a block, in symbol order."""

    row: NDArray[np.intp]
    """Behind which of the points each comes, or rather before its quote."""
    seq: I64
    price: I64
    size: I64


def in_time_order(
    points: Points,
    quoted: NDArray[np.bool_],
    quote_seq: I64,
    lot: I64,
    trades: Trades,
    since_us: I64,
    origin_us: int,
) -> TickBatch:
    """
    Give the events of a block: each trade, and behind it, at its time, the quote that it leaves.

    Args:
        points: the quotes.
        quoted: which of them there are.
        quote_seq: their sequences.
        lot: the round lot of each symbol.
        trades: the trades.
        since_us: the time of each point since the block's start, in microseconds.
        origin_us: when the block starts.
    """
    # Sorting one array of unique keys (time, then row) is faster than a stable argsort, and has no ties to break.
    keys = since_us << 24 | np.arange(len(since_us))
    keys.sort()
    order = keys & (MAX_BLOCK_EVENTS - 1)
    traded = ~points.fresh.take(order)
    count = quoted.take(order) + traded.astype(np.int64)
    at: I64 = (np.cumsum(count) - count)[traded]
    number = np.empty(len(order), dtype=np.int64)
    number[trades.row] = np.arange(len(trades.row))
    trade = number.take(order[traded])
    every = np.repeat(order, count)
    columns = [column.take(every) for column in (quote_seq, *points.price, *points.lots)]
    seq, price, ask, size, ask_size = columns
    symbol = points.symbol.take(every)
    size *= (of_symbol := lot.take(symbol))
    ask_size *= of_symbol
    seq[at], price[at], size[at] = (c.take(trade) for c in (trades.seq, trades.price, trades.size))
    ask[at] = ask_size[at] = 0
    channel = np.full(len(every), QUOTES, dtype=np.uint8)
    channel[at] = TRADES
    time = since_us.take(every) + origin_us
    return TickBatch(symbol.astype(np.int32), channel, seq, time, price, size, ask, ask_size)
