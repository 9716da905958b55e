"""What a step of the market gives: a struct of arrays, one row an event, in the order of the market."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ticker.ladder import Changes, Ladder

__all__ = [
    "BARS",
    "DEPTH",
    "INTERVALS",
    "QUOTES",
    "STATUS",
    "TRADES",
    "BarTable",
    "DepthTable",
    "TickBatch",
    "channel_name",
]

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

TRADES, QUOTES, STATUS, BARS = 0, 1, 2, 3
"""Channel numbers. Every bar interval is a channel of its own: ``BARS + i`` for the i-th of :data:`INTERVALS`."""

INTERVALS: dict[str, int] = {"1s": 1, "1m": 60, "5m": 300, "1h": 3600, "1d": 86400}
"""Bar intervals and their lengths in seconds; each is a multiple of the one before."""

DEPTH = BARS + len(INTERVALS)
"""The channel of books. A venue makes no such events: a book is a function of its quote (:mod:`ticker.ladder`)."""

CHANNELS = DEPTH + 1
"""How many channel numbers there are."""


def channel_name(channel: int) -> str:
    """Give a channel's name on the wire: ``trades``, ``quotes``, ``status``, ``bars:1s``, ..., ``depth``."""
    return ("trades", "quotes", "status", *(f"bars:{i}" for i in INTERVALS), "depth")[channel]


@dataclass(slots=True)
class BarTable:
    """Bars, one a row; prices in ticks."""

    symbol: I32
    """Symbol id."""
    start: I64
    """Start of the interval, Unix time in microseconds."""
    open: I64
    high: I64
    low: I64
    close: I64
    volume: I64
    """Shares."""
    notional: NDArray[np.float64]
    """Sum of price times size: over ``volume``, the volume-weighted average price. Exact up to 2**53."""
    trades: I64
    """How many trades."""

    def __len__(self) -> int:
        return len(self.symbol)

    def take(self, rows: NDArray[np.intp] | slice) -> "BarTable":
        """Give some of the rows."""
        return BarTable(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def join(tables: Sequence["BarTable"]) -> "BarTable":
        """Give the rows of several tables, one after the other."""
        return BarTable(
            *(np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(BarTable))
        )

    @staticmethod
    def empty() -> "BarTable":
        """Give a table without rows."""
        none = np.empty(0, np.int64)
        return BarTable(
            np.empty(0, np.int32), none, none, none, none, none, none, np.empty(0), none
        )


class DepthTable(NamedTuple):
    """Books, one a row, and what each changes of the one at the symbol's quote before."""

    books: Ladder
    changes: Changes


@dataclass(slots=True)
class TickBatch:
    """
    Events in the order of the market, all channels mixed; every array has the shape (events,).

    A trade uses ``price`` and ``size``, and has its mark (:mod:`ticker.reference.marks`) in ``ask``. A quote has its bid in ``price`` and
    ``size``. A bar has its row of ``bars`` in ``price``, and so has a book of ``depth``. A change of status has the numbers of
    status and reason (:mod:`ticker.reference.status`) in ``price`` and ``size``, and in ``ask``, where that is told, when the market opens, in Unix seconds.
    What a row doesn't use is 0.
    """

    symbol: I32
    """Symbol id: the position in the universe."""
    channel: NDArray[np.uint8]
    """Channel number: :data:`TRADES`, :data:`QUOTES`, :data:`STATUS`, :data:`BARS` and above."""
    seq: I64
    """Counts the events of one symbol on one channel, from 1, by 1."""
    time: I64
    """Unix time in microseconds. A bar's is the end of its interval, so that times never go back."""
    price: I64
    """Ticks."""
    size: I64
    """Shares."""
    ask: I64
    """Ticks."""
    ask_size: I64
    """Shares."""
    bars: BarTable = field(default_factory=BarTable.empty)
    """The bars that rows of the bar channels refer to."""
    depth: DepthTable | None = None
    """The books that rows of the depth channel refer to, where somebody asked for them."""

    def __len__(self) -> int:
        return len(self.symbol)

    def __getitem__(self, rows: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "TickBatch":
        """Give some of the rows; for a slice, as views: no copy. ``bars`` and ``depth`` stay whole."""
        return TickBatch(
            self.symbol[rows],
            self.channel[rows],
            self.seq[rows],
            self.time[rows],
            self.price[rows],
            self.size[rows],
            self.ask[rows],
            self.ask_size[rows],
            self.bars,
            self.depth,
        )

    @staticmethod
    def join(batches: Sequence["TickBatch"]) -> "TickBatch":
        """Give the rows of several batches, one after the other."""
        if len(batches) == 1:
            return batches[0]
        if not batches:
            return TickBatch.empty()
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(b, name) for b in batches])
            for name in ("symbol", "channel", "seq", "time", "price", "size", "ask", "ask_size")
        }
        offset = 0
        row = 0
        for batch in batches:
            if len(batch.bars) and offset:
                rows = slice(row, row + len(batch))
                columns["price"][rows] += np.where(columns["channel"][rows] >= BARS, offset, 0)
            offset += len(batch.bars)
            row += len(batch)
        return TickBatch(**columns, bars=BarTable.join([b.bars for b in batches]))

    @staticmethod
    def unnumbered(
        *,
        symbol: NDArray[np.integer],
        channel: NDArray[np.integer],
        time: I64,
        price: I64,
        size: I64,
        ask: I64,
        ask_size: I64,
    ) -> "TickBatch":
        """Give events that have no sequence yet: it is 0."""
        return TickBatch(
            symbol=symbol.astype(np.int32),
            channel=channel.astype(np.uint8),
            seq=np.zeros(len(time), dtype=np.int64),
            time=time,
            price=price,
            size=size,
            ask=ask,
            ask_size=ask_size,
        )

    @staticmethod
    def of_bars(channel: int, bars: BarTable, seq: I64, time_us: int) -> "TickBatch":
        """Give bars of one interval, which closed at ``time_us``, as events."""
        nothing = np.zeros(len(bars), dtype=np.int64)
        return TickBatch(
            symbol=bars.symbol,
            channel=np.full(len(bars), channel, dtype=np.uint8),
            seq=seq,
            time=np.full(len(bars), time_us),
            price=np.arange(len(bars)),
            size=nothing,
            ask=nothing,
            ask_size=nothing,
            bars=bars,
        )

    @staticmethod
    def empty() -> "TickBatch":
        """Give a batch without rows."""
        none = np.empty(0, np.int64)
        return TickBatch(
            np.empty(0, np.int32), np.empty(0, np.uint8), none, none, none, none, none, none
        )
