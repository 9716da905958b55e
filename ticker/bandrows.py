"""The events of one symbol that has bands, as :mod:`ticker.bands` goes through them."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ticker.batch import STATUS
from ticker.status import reason_number, status_number

__all__ = ["Row", "SymbolRows", "change"]

I64 = NDArray[np.int64]

Row = tuple[int, int, int, int, int, int]
"""Time, channel, price, size, ask, ask size."""


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
    made: list[tuple[int | None, Row]] = field(default_factory=list)
    """What the rules make happen, changes of status and reopenings: behind which row; None: behind all of its time."""


def change(time: int, status: str, reason: str | None = None) -> Row:
    """Give a change of status."""
    return time, STATUS, status_number(status), reason_number(reason), 0, 0
