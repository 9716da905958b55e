"""
Scripted events: trades, quotes and changes of status that are wanted at given times, and the list of those still to come.

They are laid over the walk by :mod:`ticker.staging.overlay`; the walk knows nothing of them.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from ticker.batch import QUOTES, STATUS, TRADES, TickBatch
from ticker.instruments import MAX_TICKS
from ticker.reference.marks import mark_of
from ticker.reference.status import reason_number, status_number
from ticker.universe import MAX_SYMBOLS

__all__ = [
    "MAX_SIZE",
    "Script",
    "ScriptedEvent",
    "ScriptedQuote",
    "ScriptedStatus",
    "ScriptedTrade",
]

MAX_SIZE = 10**12
"""The most shares of one event: sums of a day of them stay below 2**63."""

_MOST_TICKS = 100 * MAX_TICKS
_RANGES = {
    "symbol": (0, MAX_SYMBOLS - 1),
    **dict.fromkeys(("size", "bid_size", "ask_size"), (1, MAX_SIZE)),
}


@dataclass(frozen=True, slots=True)
class ScriptedTrade:
    """A trade: the symbol's id, the price in ticks, shares, where it was made, and what is special about it."""

    symbol: int
    price: int
    size: int
    exchange: str | None = None
    """One of :data:`~ticker.reference.exchanges.EXCHANGES`; None: not given."""
    conditions: tuple[str, ...] = ()
    """Codes of :data:`~ticker.reference.conditions.CONDITIONS`."""

    def __post_init__(self) -> None:
        _check(symbol=self.symbol, price=self.price, size=self.size)
        if isinstance(self.conditions, str) or not isinstance(self.conditions, Iterable):
            raise ValueError(f"conditions {self.conditions!r} is no list of codes, such as ['I']")
        object.__setattr__(self, "conditions", tuple(self.conditions))
        mark_of(self.exchange, self.conditions)


@dataclass(frozen=True, slots=True)
class ScriptedQuote:
    """A quote: the symbol's id, bid below ask in ticks, shares."""

    symbol: int
    bid: int
    bid_size: int
    ask: int
    ask_size: int

    def __post_init__(self) -> None:
        _check(symbol=self.symbol, bid=self.bid, ask=self.ask)
        _check(bid_size=self.bid_size, ask_size=self.ask_size)
        if self.bid >= self.ask:
            raise ValueError(f"bid {self.bid!r} is not below ask {self.ask!r}")


@dataclass(frozen=True, slots=True)
class ScriptedStatus:
    """
    A change of status: the symbol's id, one of :data:`~ticker.reference.status.STATUSES`, one of :data:`~ticker.reference.status.REASONS`.

    From then on, the walk makes only what this status allows.
    """

    symbol: int
    status: str
    reason: str | None = None

    def __post_init__(self) -> None:
        _check(symbol=self.symbol)
        status_number(self.status)
        reason_number(self.reason)


ScriptedEvent = ScriptedTrade | ScriptedQuote | ScriptedStatus


class _Entry(NamedTuple):
    at_us: int
    event: ScriptedEvent


_at = attrgetter("at_us")


class Script:
    """Scripted events in the order of time; those of one time in the order in which they were added."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, at_us: int, events: Iterable[ScriptedEvent]) -> None:
        """Add events of one time, in microseconds. Cheapest at the end."""
        for event in events:
            insort(self._entries, _Entry(at_us, event), key=_at)

    def take(self, until_us: int) -> "Script":
        """Take out what is before a time."""
        taken = Script()
        end = bisect_left(self._entries, until_us, key=_at)
        taken._entries = self._entries[:end]
        del self._entries[:end]
        return taken

    def rows(self) -> TickBatch:
        """Give all of it as events that have no sequence yet: it is 0."""
        rows = np.array([(at, *_row(event)) for at, event in self._entries], dtype=np.int64)
        time, symbol, channel, price, size, ask, ask_size = rows.reshape(-1, 7).T
        return TickBatch.unnumbered(
            symbol=symbol,
            channel=channel,
            time=time,
            price=price,
            size=size,
            ask=ask,
            ask_size=ask_size,
        )


def _row(event: ScriptedEvent) -> tuple[int, int, int, int, int, int]:
    match event:
        case ScriptedTrade(symbol, price, size, exchange, conditions):
            return symbol, TRADES, price, size, mark_of(exchange, conditions), 0
        case ScriptedQuote(symbol, bid, bid_size, ask, ask_size):
            return symbol, QUOTES, bid, bid_size, ask, ask_size
        case ScriptedStatus(symbol, status, reason):
            return symbol, STATUS, status_number(status), reason_number(reason), 0, 0


def _check(**values: int) -> None:
    for name, value in values.items():
        least, most = _RANGES.get(name, (1, _MOST_TICKS))
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise ValueError(f"{name} {value!r} is not a whole number")
        if not least <= value <= most:
            raise ValueError(f"{name} {value!r} is not between {least} and {most}")
