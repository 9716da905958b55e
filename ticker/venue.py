"""What a feed streams: anything that is asked for time and gives events, invented or recorded."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ticker.batch import BarTable, TickBatch
from ticker.bookkeeping.daybook import Snapshot
from ticker.universe import Universe

__all__ = ["Venue"]


class Venue(Protocol):
    """
    A source of events, such as a :class:`~ticker.market.Market` or a :class:`~ticker.replay.Replay`.

    It keeps the state that belongs to what it has handed out. None of its methods waits, and none reads a clock.
    """

    universe: Universe
    """What is traded; the position in it is the symbol id."""
    seed: int
    """The seed of what is invented."""
    epoch: str
    """Names this run: sequences of one run mean the same in another of the same epoch. Letters, digits and ``_``."""
    now_us: int
    """Its time, Unix time in microseconds: everything before it has been handed out."""
    rules: str
    """The rules that it has, one of :data:`~ticker.regulation.us.RULES`."""
    synthetic: bool
    """Whether it is invented."""
    lots: NDArray[np.int64]
    """How many shares the orders of a book are multiples of, by symbol id."""

    @property
    def over(self) -> bool:
        """Whether there will be no trade and no quote any more, however far the time goes."""
        ...

    def step(self, until_us: int, limit: int | None = None) -> TickBatch:
        """
        Move the time on and give the events from the old time, included, to the new one, excluded.

        Events of one microsecond are given together, even past the limit; bars as soon as their interval is over.
        """
        ...

    def next_us(self, wanted: NDArray[np.int32]) -> int:
        """
        Give a time before which it gives nothing that is wanted, as far as it knows: mostly that of the next such event.

        Args:
            wanted: not 0 for what is, by channel number and symbol id: one row after the other.
        """
        ...

    def snapshot(self, symbol: int) -> Snapshot:
        """Give the state of one symbol now."""
        ...

    def standing(self) -> NDArray[np.int64]:
        """Give all standing quotes: bids, their sizes, asks, and theirs, shape (4, symbols); 0 where there was none yet."""
        ...

    def sequences(self) -> NDArray[np.int64]:
        """Give the last sequence handed out, by channel number and symbol id, as a view: shape (channels, symbols)."""
        ...

    def bars(self, symbol: int, interval: str, limit: int) -> tuple[BarTable, bool]:
        """Give the newest bars of a symbol, oldest first, and whether the last of them is still under way."""
        ...

    def recent(self, symbol: int) -> TickBatch:
        """Give the trades and quotes of a symbol from just before the start, if any; their sequences end with 0."""
        ...
