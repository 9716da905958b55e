"""Rows of a batch, for what is laid over it: inserting, grouping, following, counting and numbering them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch

__all__ = [
    "CHANNELS",
    "EXTRA",
    "SCRIPT",
    "WALK",
    "Standings",
    "behind_trades",
    "count",
    "grouped",
    "insert",
    "sequences",
    "statuses",
    "waiting",
]

I64 = NDArray[np.int64]
Origin = NDArray[np.uint8]
Flags = NDArray[np.bool_]

CHANNELS = STATUS + 1
"""Trades, quotes, and changes of status; bars are made later."""

WALK, SCRIPT, EXTRA = 0, 1, 2
"""Where an event is from."""


def grouped(key: NDArray[np.integer], groups: int) -> tuple[NDArray[np.intp], I64]:
    """Give the order of rows by key, else as they are, and where in it each group starts, with the end."""
    # A stable sort of 16 bits is linear.
    small = key.astype(np.uint16) if groups <= 1 << 16 else key
    order = np.argsort(small, kind="stable")
    first = np.concatenate(([0], np.cumsum(np.bincount(key, minlength=groups))))
    return order, first


def insert(
    batch: TickBatch,
    origin: Origin,
    rows: TickBatch,
    source: int,
    at: NDArray[np.intp] | None = None,
) -> tuple[TickBatch, Origin]:
    """Put rows into a batch, each before row ``at`` or, by default, behind all of its time, and note where they are from."""
    if at is None:
        at = np.searchsorted(batch.time, rows.time, "right")
    names = ("symbol", "channel", "seq", "time", "price", "size", "ask", "ask_size")
    columns: dict[str, Any] = {
        name: np.insert(getattr(batch, name), at, getattr(rows, name)) for name in names
    }
    return TickBatch(**columns, bars=batch.bars), np.insert(origin, at, source)


def behind_trades(batch: TickBatch, origin: Origin) -> Flags:
    """Tell which events are the quotes that trades leave: right behind them, at their time; scripted trades leave none."""
    behind = np.zeros(len(batch), dtype=bool)
    trade = (batch.channel == TRADES) & (origin != SCRIPT)
    behind[1:] = trade[:-1] & (batch.channel[1:] == QUOTES) & (origin[1:] != SCRIPT)
    behind[1:] &= batch.symbol[1:] == batch.symbol[:-1]
    behind[1:] &= batch.time[1:] == batch.time[:-1]
    return behind


class Standings(NamedTuple):
    """How symbols stand; shape (symbols,) each."""

    status: I64
    reason: I64
    """Why they are in this status; both are numbers."""
    waits: Flags
    """Which make no trades until their next quote, because they were not quoted for some time."""

    def unusual(self) -> bool:
        """Tell whether a symbol does anything else than to trade."""
        return bool(self.status.any() or self.waits.any())


def statuses(batch: TickBatch, before: Standings) -> tuple[I64, Standings]:
    """Give the status in which each event's symbol is, and how symbols stand at the end."""
    order, first = grouped(batch.symbol, len(before.status))
    row = np.where(batch.channel[order] == STATUS, np.arange(len(batch)), -1)
    row = np.maximum.accumulate(row)
    symbol = batch.symbol[order]
    fresh = row >= first[symbol]
    code = np.where(fresh, batch.price[order][row], before.status[symbol])
    status = np.empty(len(batch), dtype=np.int64)
    status[order] = code
    after = Standings(before.status.copy(), before.reason.copy(), before.waits)
    present = np.flatnonzero(first[1:] > first[:-1])
    last = first[1:][present] - 1
    after.status[present] = code[last]
    present, last = present[fresh[last]], last[fresh[last]]
    after.reason[present] = batch.size[order][row[last]]
    return status, after


def waiting(batch: TickBatch, silent: Flags, quotes: Flags, before: Flags) -> tuple[Flags, Flags]:
    """
    Tell which events come after a time in which their symbol wasn't quoted, and before its next quote.

    Args:
        batch: the events.
        silent: in which of them the symbol isn't quoted.
        quotes: which of them are quotes that come out.
        before: which symbols wait for a quote, shape (symbols,).

    Returns:
        These events, and the symbols that wait at the end.
    """
    order, first = grouped(batch.symbol, len(before))
    turns = (silent | quotes)[order]
    row = np.maximum.accumulate(np.where(turns, np.arange(len(batch)), -1))
    symbol = batch.symbol[order]
    wait = np.where(row >= first[symbol], silent[order][row], before[symbol])
    found, after = np.empty(len(batch), dtype=bool), before.copy()
    found[order] = wait
    present = np.flatnonzero(first[1:] > first[:-1])
    after[present] = wait[first[1:][present] - 1]
    return found, after


def _key(batch: TickBatch, symbols: int) -> I64:
    return batch.channel * np.int64(symbols) + batch.symbol


def count(batch: TickBatch, symbols: int) -> I64:
    """Count events by channel and symbol."""
    counts = np.bincount(_key(batch, symbols), minlength=CHANNELS * symbols)
    return counts.reshape(CHANNELS, symbols)


def sequences(batch: TickBatch, before: I64) -> I64:
    """Number the events of each channel and symbol on from those before."""
    key = _key(batch, before.shape[1])
    order, first = grouped(key, before.size)
    seq = np.empty(len(batch), dtype=np.int64)
    seq[order] = np.arange(1, len(batch) + 1) - first[key[order]]
    return seq + before.reshape(-1)[key]
