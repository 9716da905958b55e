"""Turns a recorded tape into a panel, to be judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from ticker.facts.panel import Panel
from ticker.facts.ticks import Ticks
from ticker.tape import UNIT, Tape, TapeError, TapeRows
from ticker.trading_day.shape import DAY_S

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

    def panel(self) -> Panel:
        """
        Cut the tape into sessions of a regular day from its start on, or one of as many minutes as it has.

        Raises:
            TapeError: the tape is shorter than a minute.
        """
        ticks = self.ticks
        start, end = int(ticks.time[0]), int(ticks.time[-1])
        minutes = (end - start) // 60_000_000
        if minutes < 1:
            raise TapeError(
                f"the tape lasts {(end - start) / 1e6:.1f} s; at least a minute is needed"
            )
        length = min(DAY_S, minutes * 60)
        panel = Panel([""] * len(self.symbols), length)
        for session in range(minutes * 60 // length):
            begin = start + session * length * 1_000_000
            first, last = np.searchsorted(ticks.time, [begin, begin + length * 1_000_000])
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
            panel.close_session()
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
