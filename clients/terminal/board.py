"""What the terminal table shows: the state of each symbol, kept from events. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median

from clients.events import (
    Connected,
    Disconnected,
    Event,
    Gap,
    Hello,
    Instrument,
    Quote,
    Snapshot,
    Status,
    Trade,
)

__all__ = ["POINTS", "POINT_S", "Board", "Row", "decimals", "sparkline"]

POINTS = 60
"""The length of the price history of a symbol, in points."""
POINT_S = 0.5
"""Seconds between two points."""
FLASH_S = 0.35
"""Seconds for which a changed price stands out."""
SANE_MS = (-1_000.0, 60_000.0)
"""Latencies outside of this are not latencies: the market runs on a clock of its own."""
BLOCKS = "▁▂▃▄▅▆▇█"


def decimals(tick_size: float) -> int:
    """Return how many decimals the prices of an instrument have."""
    exponent = Decimal(repr(tick_size)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 2


def sparkline(values: Sequence[float], width: int) -> str:
    """Draw the last *width* values with block characters, the newest at the right edge."""
    values = list(values)[-width:] if width > 0 else []
    if not values:
        return " " * width
    low, high = min(values), max(values)
    if low == high:
        line = BLOCKS[3] * len(values)
    else:
        scale = (len(BLOCKS) - 1) / (high - low)
        line = "".join(BLOCKS[round((value - low) * scale)] for value in values)
    return line.rjust(width)


@dataclass(slots=True)
class Row:
    """One symbol. Prices are None until they are known; times are those of the board."""

    symbol: str
    decimals: int = 2
    last: float | None = None
    prev_close: float | None = None
    bid: float | None = None
    ask: float | None = None
    volume: int = 0
    status: str = "trading"
    seq: int = 0
    """The sequence of the last trade that is in `volume`."""
    direction: int = 0
    """1 when the price went up last, -1 when it went down."""
    changed_at: float = float("-inf")
    points: deque[float] = field(default_factory=lambda: deque(maxlen=POINTS))

    @property
    def change(self) -> float | None:
        """How far the price is from the previous close."""
        if self.last is None or self.prev_close is None:
            return None
        return self.last - self.prev_close

    @property
    def percent(self) -> float | None:
        """The same in per cent of the previous close."""
        change = self.change
        return change / self.prev_close * 100 if change is not None and self.prev_close else None

    def flash(self, now: float) -> int:
        """Return the direction of a change that is fresh at *now*, else 0."""
        return self.direction if now - self.changed_at < FLASH_S else 0


class Board:
    """The rows of the table and the figures of the status line.

    *now* is any clock in seconds, *wall_ms* is Unix time in milliseconds.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.hello: Hello | None = None
        self.state = "connecting"
        self.trouble = ""
        """Why there is no connection."""
        self.reconnects = 0
        self.events = 0
        self.missing = 0
        """Events in gaps."""
        self.merged = 0
        """Events that others replaced, because we were slow."""
        self.incomplete: set[str] = set()
        """Symbols of which trades did not reach us one by one, so that their volume is off."""
        self.opens: tuple[str, float] | None = None
        """The session that isn't the regular one, and when that begins, in milliseconds."""
        self.wall_ms = 0.0
        """Unix time."""
        self.rate = 0.0
        """Events a second."""
        self.latency_ms: float | None = None
        """From the time of an event to its arrival, the median of late; None if that says nothing."""
        self._counted = (0.0, 0)
        self._wall = 0.0  # what Unix time is ahead of our clock, once that is known
        self._latencies: list[float] = []
        self._next_point = float("-inf")

    def add(self, instruments: Iterable[Instrument]) -> None:
        """Add rows for *instruments*, in their order."""
        for entry in instruments:
            row = self.rows.setdefault(entry.symbol, Row(entry.symbol))
            row.decimals = decimals(entry.tick_size)

    def apply(self, events: Iterable[Event], now: float, wall_ms: float) -> None:
        """Take events that arrived together; cost linear in their number."""
        latest: float | None = None
        self.wall_ms, self._wall = wall_ms, wall_ms - now * 1000
        for event in events:
            match event:
                case Trade():
                    self._trade(event, now)
                    latest = event.time
                case Quote(symbol=symbol):
                    row = self.rows.setdefault(symbol, Row(symbol))
                    row.bid, row.ask = event.bid, event.ask
                    self.merged += event.merged
                    latest = event.time
                case Snapshot():
                    self.snapshot(event)
                    continue
                case Status(symbol=symbol, status=status):
                    self.rows.setdefault(symbol, Row(symbol)).status = status
                    self._session(status, event.opens)
                case Gap():
                    self.missing += event.missing
                    self.incomplete.add(event.symbol)
                    continue
                case Connected():
                    self.hello, self.reconnects = event.hello, event.reconnects
                    self.state, self.trouble = "connected", ""
                    continue
                case Disconnected():
                    self.state = f"offline, trying again in {event.retry_in:.1f} s"
                    self.trouble = event.reason
                    continue
            self.events += 1
        if latest is not None:
            self._latencies.append(wall_ms - latest)

    def _trade(self, trade: Trade, now: float) -> None:
        row = self.rows.setdefault(trade.symbol, Row(trade.symbol))
        last = trade.last
        if last is not None and row.last is not None and last != row.last:
            row.direction = 1 if last > row.last else -1
            row.changed_at = now
        row.last = row.last if last is None else last
        if trade.seq > row.seq:
            row.volume += trade.size
            row.seq = trade.seq
        if trade.merged:
            self.merged += trade.merged
            self.incomplete.add(trade.symbol)

    def _session(self, status: str, opens: float | None) -> None:
        if opens is not None:
            self.opens = status, opens
        elif status == "trading":
            self.opens = None

    def snapshot(self, state: Snapshot) -> None:
        """Take the whole state of a symbol; events that it includes already don't count again."""
        row = self.rows.setdefault(state.symbol, Row(state.symbol))
        row.last, row.prev_close = state.last, state.prev_close
        row.bid, row.ask = state.bid, state.ask
        row.volume, row.status = state.volume, state.status
        self._session(state.status, state.opens)
        row.seq = state.seq.get("trades", 0)

    def tick(self, now: float) -> None:
        """Let time pass: move the histories on, and the figures every second."""
        self.wall_ms = self._wall + now * 1000
        if now >= self._next_point:
            self._next_point = now + POINT_S
            for row in self.rows.values():
                if row.last is not None:
                    row.points.append(row.last)
        since, events = self._counted
        if now - since >= 1:
            self.rate = (self.events - events) / (now - since)
            self._counted = (now, self.events)
            sane = [late for late in self._latencies if SANE_MS[0] < late < SANE_MS[1]]
            # Nothing new says nothing; nothing sane says that there is no latency to be had.
            if self._latencies:
                self.latency_ms = max(0.0, median(sane)) if sane else None
            self._latencies.clear()
