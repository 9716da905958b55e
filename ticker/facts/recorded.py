"""Turns a recorded tape into a panel, to be judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from ticker.facts.cutting import Hours, at_hours, at_nights
from ticker.facts.panel import Panel
from ticker.facts.ticks import Ticks
from ticker.tape import UNIT, Tape, TapeError, TapeRows

__all__ = ["Recording", "read_tape"]

_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Recording:
    """Trades and quotes of a recorded tape, in the order of time."""

    symbols: Sequence[str]
    """In the order in which they appear."""
    tick_sizes: Sequence[float]
    """The largest number that divides all prices of a symbol."""
    ticks: Ticks
    """In the order of time, not of symbols; times are Unix time in microseconds."""

    def panel(self, hours: Hours | None = None) -> Panel:
        """
        Cut the tape into sessions, and collect their evidence.

        The price of a symbol without a single quote is that of its trades.

        Args:
            hours: of the sessions; None: from one night to the next, see :func:`~ticker.facts.cutting.at_nights`.

        Raises:
            TapeError: the tape is shorter than a minute, or nothing happens in the hours.
        """
        ticks = self.ticks
        cut = at_hours(ticks.time, hours) if hours else at_nights(ticks.time)
        quotes = np.bincount(ticks.symbol[ticks.quote], minlength=len(self.symbols))
        panel = Panel([""] * len(self.symbols), cut.seconds, unquoted=quotes == 0)
        length = cut.seconds * 1_000_000
        for begin, following in zip(cut.starts, [*cut.starts[1:], None], strict=True):
            first, last = np.searchsorted(ticks.time, [begin, begin + length])
            for at in range(int(first), int(last), _CHUNK):
                rows = slice(at, min(at + _CHUNK, int(last)))
                panel.add(
                    Ticks.sort(
                        ticks.symbol[rows],
                        ticks.time[rows] - begin,
                        ticks.quote[rows],
                        ticks.price[rows],
                        ticks.ask[rows],
                        ticks.size[rows],
                    )
                )
            panel.close_session(night=following != begin + length)
        return panel


def read_tape(tape: Tape) -> Recording:
    """
    Read all of a tape into memory.

    Raises:
        TapeError: as the tape; or there is no trade and no quote on it.
    """
    chunks = list(tape.chunks())
    if not chunks:
        raise TapeError("there is no trade and no quote on the tape")
    rows = TapeRows.join(chunks)
    symbol = rows.symbol.astype(np.int64)
    tick = _ticks(symbol, rows.price, rows.ask, len(tape.symbols))
    price, ask = rows.price / tick[symbol], rows.ask / tick[symbol]
    size = np.where(rows.quote, 0, rows.size).astype(np.float64)
    ticks = Ticks(symbol, rows.time, rows.quote, price, ask, size)
    return Recording(list(tape.symbols), (tick / UNIT).tolist(), ticks)


def _ticks(
    symbol: NDArray[np.int64], price: NDArray[np.int64], ask: NDArray[np.int64], symbols: int
) -> NDArray[np.int64]:
    """Give each symbol's tick size: the greatest common divisor of its prices."""
    found = []
    for i in range(symbols):
        mine = symbol == i
        distinct = np.unique(np.concatenate((price[mine], ask[mine])))
        found.append(max(1, gcd(*distinct.tolist())))
    return np.array(found, dtype=np.int64)
