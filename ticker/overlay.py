"""
What is laid over the walk: scripted events come in, what a halted symbol would have done goes out, the rest moves up.

The walk's blocks stay as they are. What is laid over one is a function of the state at its start, of its rows and of
the script, and an event of it depends on nothing that comes later: so when something is scheduled in the middle of a
block, the block is laid over again from its start, and what was handed out already comes out the same. So the steps
in which a market is asked for events change none of them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ticker.batch import STATUS, TickBatch
from ticker.script import Script, ScriptedEvent
from ticker.source import Block
from ticker.status import QUOTES_IN, STATUSES, TRADES_IN

__all__ = ["Overlay"]

I64 = NDArray[np.int64]
Flags = NDArray[np.bool_]

_CHANNELS = STATUS + 1

_MADE = np.array([[s in TRADES_IN, s in QUOTES_IN, True] for s in STATUSES])
"""By status and channel, whether the walk's events come out."""


class Overlay:
    """
    What is laid over a market's blocks.

    Args:
        block: the walk's block that is being handed out.
        walk_seq: the walk's last sequences at its end, by channel (trades, quotes) and symbol.
    """

    def __init__(self, block: Block, walk_seq: I64) -> None:
        symbols = walk_seq.shape[1]
        counted = _count(block.batch, symbols)[:STATUS]
        self._walk = block
        self._walk_seq, self._walk_seq_before = walk_seq, walk_seq - counted
        # The state at the start of the block, and, once it is laid over, at its end.
        self._seq: I64 = np.zeros((_CHANNELS, symbols), dtype=np.int64)
        self._seq[:STATUS] = self._walk_seq_before
        self._status: I64 = np.zeros(symbols, dtype=np.int64)
        self._seq_after, self._status_after = self._seq, self._status
        self._now, self._later = Script(), Script()
        self.stale = True
        """Whether the block has to be laid over again before more of it is handed out."""

    def add(self, at_us: int, events: Sequence[ScriptedEvent]) -> None:
        """
        Add events to the script.

        Raises:
            ValueError: there is no symbol with such an id; then none is added.
        """
        symbols = len(self._status)
        for event in events:
            if event.symbol >= symbols:
                raise ValueError(f"symbol id {event.symbol!r} is not between 0 and {symbols - 1}")
        if at_us < self._walk.end_us:
            self._now.add(at_us, events)
            self.stale = True
        else:
            self._later.add(at_us, events)

    def begin(self, block: Block, walk_seq: I64) -> Block:
        """Go on to the walk's next block, and lay over that."""
        if self.stale:
            self.block()  # for the state at its end
        self._seq, self._status = self._seq_after, self._status_after
        self._walk = block
        self._walk_seq_before, self._walk_seq = self._walk_seq, walk_seq
        self._now = self._later.take(block.end_us)
        return self.block()

    def block(self) -> Block:
        """Lay over the block from its start. A block with nothing to do costs one pass over its sequences."""
        self.stale = False
        if len(self._now) or self._status.any():
            return Block(self._laid_over(), self._walk.end_us)
        batch, self._status_after = self._walk.batch, self._status
        self._seq_after = self._seq.copy()
        self._seq_after[:STATUS] += self._walk_seq - self._walk_seq_before
        moved = self._seq[:STATUS] - self._walk_seq_before
        seq = batch.seq + moved[batch.channel, batch.symbol]
        return Block(replace(batch, seq=seq), self._walk.end_us)

    def _laid_over(self) -> TickBatch:
        batch, scripted = _insert(self._walk.batch, self._now.rows())
        status, self._status_after = self._statuses(batch)
        batch = batch[scripted | _MADE[status, batch.channel]]
        symbols = len(self._status)
        self._seq_after = self._seq + _count(batch, symbols)
        return replace(batch, seq=_sequences(batch, self._seq))

    def _statuses(self, batch: TickBatch) -> tuple[I64, I64]:
        """Give the status in which each event's symbol is, and that of each symbol at the end."""
        order, first = _grouped(batch.symbol, len(self._status))
        row = np.where(batch.channel[order] == STATUS, np.arange(len(batch)), -1)
        row = np.maximum.accumulate(row)
        symbol = batch.symbol[order]
        code = np.where(row >= first[symbol], batch.price[order][row], self._status[symbol])
        status = np.empty(len(batch), dtype=np.int64)
        status[order] = code
        after = self._status.copy()
        present = np.flatnonzero(first[1:] > first[:-1])
        after[present] = code[first[1:][present] - 1]
        return status, after


def _insert(batch: TickBatch, rows: TickBatch) -> tuple[TickBatch, Flags]:
    """Put rows into a batch, each behind all of its time, and tell which ones they are."""
    at = np.searchsorted(batch.time, rows.time, "right")
    scripted = np.insert(np.zeros(len(batch), dtype=bool), at, True)
    names = ("symbol", "channel", "seq", "time", "price", "size", "ask", "ask_size")
    columns = {name: np.insert(getattr(batch, name), at, getattr(rows, name)) for name in names}
    return TickBatch(**columns, bars=batch.bars), scripted


def _grouped(key: NDArray[np.integer], groups: int) -> tuple[NDArray[np.intp], I64]:
    """Give the order of rows by key, else as they are, and where in it each group starts, with the end."""
    # A stable sort of 16 bits is linear.
    small = key.astype(np.uint16) if groups <= 1 << 16 else key
    order = np.argsort(small, kind="stable")
    first = np.concatenate(([0], np.cumsum(np.bincount(key, minlength=groups))))
    return order, first


def _key(batch: TickBatch, symbols: int) -> I64:
    return batch.channel * np.int64(symbols) + batch.symbol


def _count(batch: TickBatch, symbols: int) -> I64:
    """Count events by channel and symbol."""
    counts = np.bincount(_key(batch, symbols), minlength=_CHANNELS * symbols)
    return counts.reshape(_CHANNELS, symbols)


def _sequences(batch: TickBatch, before: I64) -> I64:
    """Number the events of each channel and symbol on from those before."""
    key = _key(batch, before.shape[1])
    order, first = _grouped(key, before.size)
    seq = np.empty(len(batch), dtype=np.int64)
    seq[order] = np.arange(1, len(batch) + 1) - first[key[order]]
    return seq + before.reshape(-1)[key]
