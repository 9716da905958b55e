"""The events of one symbol that has bands, as :mod:`ticker.regulation.bands` goes through them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ticker.batch import STATUS, TRADES
from ticker.reference.marks import with_conditions
from ticker.reference.status import reason_number, status_number
from ticker.rows import EXTRA

__all__ = ["Row", "SymbolRows", "change"]

_OPENING = with_conditions("O5")

I64 = NDArray[np.int64]

Row = tuple[int, int, int, int, int, int, int, int]
"""Time, channel, price, size, ask, ask size, and the bands within which a quote is no straddle, or 0 twice."""


@dataclass(slots=True)
class SymbolRows:
    """The events of one symbol, in the order of time; prices and asks are changed in place."""

    time: I64
    channel: NDArray[np.uint8]
    origin: NDArray[np.uint8]
    price: I64
    ask: I64
    counts: NDArray[np.bool_]
    """Which trades count for the mean price: those of a round lot at least, where odd lots are told."""
    edges: I64
    """The bands at each row while it trades, shape (2, rows); 0 where nobody asks whether a quote straddles them."""
    made: list[tuple[int | None, Row]] = field(default_factory=list)
    """What the rules make happen, changes of status and reopenings: behind which row; None: behind all of its time."""

    def opens(self, part: slice) -> NDArray[np.bool_]:
        """Tell which of some rows are the prints of auctions with which trading begins."""
        trade = (self.channel[part] == TRADES) & (self.origin[part] == EXTRA)
        opens: NDArray[np.bool_] = trade & (self.ask[part] & _OPENING > 0)
        return opens


def change(time: int, status: str, reason: str | None = None) -> Row:
    """Give a change of status."""
    return time, STATUS, status_number(status), reason_number(reason), 0, 0, 0, 0
