"""The day's statistics and the standing quote of every symbol: what a snapshot tells."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ticker.reference.marks import Moves
from ticker.reference.status import REASONS, STATUSES
from ticker.universe import Universe

__all__ = ["DayBook", "Snapshot"]

I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

_REASONS = tuple(REASONS)
_NEVER_LOW = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one symbol; prices in ticks, sizes in shares."""

    symbol: int
    """Symbol id."""
    time_us: int
    """Time of the newest event in it, Unix time in microseconds."""
    last: int
    """Price of the last trade that moves it (:mod:`ticker.reference.conditions`); before the first one, the previous close."""
    size: int | None
    """Size of that trade."""
    bid: int | None
    """None, as the other three, while there was no quote yet."""
    bid_size: int | None
    ask: int | None
    ask_size: int | None
    open: int | None
    """Price of the day's first trade that moves the last price; None until there is one, as ``high`` and ``low``."""
    high: int | None
    low: int | None
    prev_close: int
    """Last price of the day before."""
    volume: int
    """Shares traded in the day so far."""
    status: str = STATUSES[0]
    """Whether it trades, one of :data:`~ticker.reference.status.STATUSES`."""
    reason: str | None = None
    """Why it is in this status, where there is a reason."""
    opens: int | None = None
    """When the next regular session begins, Unix time in seconds, where the market has sessions and is in none."""


class DayBook:
    """
    Last trade, standing quote and day statistics of all symbols, in arrays of shape (symbols,).

    Args:
        close: the previous day's close, in ticks.
        bid: the standing bid at the start, in ticks; 0: there was no quote yet.
        ask: the standing ask at the start, in ticks.
        universe: the instruments.
        start_us: Unix time of the start, in microseconds.
    """

    def __init__(self, close: I64, bid: I64, ask: I64, universe: Universe, start_us: int) -> None:
        symbols = len(universe)
        lot = universe.column("round_lot").astype(np.int64)
        self._time = np.full(symbols, start_us)
        self._last, self._prev_close = close.copy(), close.copy()
        self._size = np.zeros(symbols, dtype=np.int64)
        self._bid, self._ask = bid.copy(), ask.copy()
        self._bid_size, self._ask_size = lot.copy(), lot.copy()
        self._open, self._high, self._volume = (np.zeros(symbols, dtype=np.int64) for _ in range(3))
        self._low = np.full(symbols, _NEVER_LOW)
        self._status, self._reason, self._opens = np.zeros((3, symbols), dtype=np.int64)

    def go_on(self, prev_close: I64, opened: I64, high: I64, low: I64, volume: I64) -> None:
        """Go on with a day that has begun already; where ``volume`` or ``opened`` is 0, nothing was traded yet, or nothing that makes a price."""
        traded = (volume > 0) & (opened > 0)
        self._prev_close, self._volume = prev_close.copy(), volume.copy()
        self._open, self._high = np.where(traded, opened, 0), np.where(traded, high, 0)
        self._low = np.where(traded, low, _NEVER_LOW)

    def trade(
        self, symbol: I32, price: I64, size: I64, time: I64, moves: Moves | None = None
    ) -> None:
        """Enter trades, in the order of time; ``moves``: what they move, None: everything."""
        self._time[symbol] = time
        if moves is None:
            self._move(symbol, price, size)
            self._range(symbol, price)
            np.add.at(self._volume, symbol, size)
            return
        self._move(symbol[moves.last], price[moves.last], size[moves.last])
        self._range(symbol[moves.range], price[moves.range])
        np.add.at(self._volume, symbol[moves.volume], size[moves.volume])

    def _move(self, symbol: I32, price: I64, size: I64) -> None:
        fresh = self._open[symbol] == 0
        self._open[symbol[fresh][::-1]] = price[fresh][::-1]  # the earliest of each symbol stays
        self._last[symbol], self._size[symbol] = price, size

    def _range(self, symbol: I32, price: I64) -> None:
        np.maximum.at(self._high, symbol, price)
        np.minimum.at(self._low, symbol, price)

    def quote(
        self, symbol: I32, bid: I64, bid_size: I64, ask: I64, ask_size: I64, time: I64
    ) -> None:
        """Enter quotes, in the order of time."""
        self._bid[symbol], self._bid_size[symbol] = bid, bid_size
        self._ask[symbol], self._ask_size[symbol] = ask, ask_size
        np.maximum.at(self._time, symbol, time)

    def standing(self) -> I64:
        """Give the standing bids, their sizes, asks, and theirs, shape (4, symbols); 0 where there was no quote yet."""
        quotes = np.stack((self._bid, self._bid_size, self._ask, self._ask_size))
        return np.where(self._bid > 0, quotes, 0)

    def status(self, symbol: I32, status: I64, reason: I64, time: I64, opens: I64) -> None:
        """Enter changes of status, as their numbers, in the order of time, and when the market opens then; 0: that isn't told."""
        self._status[symbol], self._reason[symbol], self._opens[symbol] = status, reason, opens
        np.maximum.at(self._time, symbol, time)

    def begin(self, status: int, opens: int) -> None:
        """Let all symbols be in a status, given by its number, from the start on, and tell when the market opens; 0: it isn't told."""
        self._status[:], self._opens[:] = status, opens

    def close_day(self) -> None:
        """Begin a new day: the last price is the previous close, and there was no trade yet."""
        self._prev_close = self._last.copy()
        for column in (self._open, self._high, self._volume):
            column[:] = 0
        self._low[:] = _NEVER_LOW

    def snapshot(self, symbol: int) -> Snapshot:
        """Give the state of one symbol."""
        traded, quoted = bool(self._open[symbol]), bool(self._bid[symbol])
        return Snapshot(
            symbol=symbol,
            time_us=int(self._time[symbol]),
            last=int(self._last[symbol]),
            size=int(self._size[symbol]) or None,
            bid=int(self._bid[symbol]) if quoted else None,
            bid_size=int(self._bid_size[symbol]) if quoted else None,
            ask=int(self._ask[symbol]) if quoted else None,
            ask_size=int(self._ask_size[symbol]) if quoted else None,
            open=int(self._open[symbol]) if traded else None,
            high=int(self._high[symbol]) if traded else None,
            low=int(self._low[symbol]) if traded else None,
            prev_close=int(self._prev_close[symbol]),
            volume=int(self._volume[symbol]),
            status=STATUSES[self._status[symbol]],
            reason=_REASONS[self._reason[symbol]],
            opens=int(self._opens[symbol]) or None,
        )
