"""What a client reads from the feed, as typed values.

Every value is immutable. `time` is Unix time in milliseconds with a microsecond fraction, prices are
decimals, sizes are whole shares. `channel` is `trades`, `quotes`, `status`, `depth`, or `bars:` and
the interval, as in `bars:1m`. `merged` counts the earlier events that this one replaces, because this
connection was a slow consumer for a while, or asked for the latest only; else it is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Bar",
    "Connected",
    "Depth",
    "Disconnected",
    "Event",
    "Gap",
    "Hello",
    "Instrument",
    "Quote",
    "Snapshot",
    "Status",
    "Trade",
    "TradeTotal",
]


NOT_LAST = frozenset("CHIMNPQRTUVWZ47")
"""Conditions with which a trade doesn't move the last price."""


@dataclass(frozen=True, slots=True)
class TradeTotal:
    """The sum of several trades in a row: shares, and the first, highest, lowest and last price.

    The prices are None where no trade among them moves them; see the protocol's table of conditions.
    """

    volume: int
    open: float | None
    high: float | None
    low: float | None
    close: float | None


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade: *size* shares changed hands at *price*.

    Where it replaces earlier ones, *total* sums up them and this one; otherwise None, as where
    there were too many: then a `Snapshot` follows.
    """

    symbol: str
    seq: int
    time: float
    price: float
    size: int
    merged: int = 0
    total: TradeTotal | None = None
    exchange: str | None = None
    """The letter of where it was made, if that is told."""
    conditions: tuple[str, ...] = ()
    """What is special about it: codes of the US tapes, such as `I`, an odd lot."""

    @property
    def last(self) -> float | None:
        """The last price that it leaves behind; None if it, and what it replaces, moves none."""
        if self.total is not None:
            return self.total.close
        return None if NOT_LAST.intersection(self.conditions) else self.price


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and the best ask from now on; bid < ask, but on a replayed tape that says otherwise."""

    symbol: str
    seq: int
    time: float
    bid: float
    bid_size: int
    ask: float
    ask_size: int
    merged: int = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """The trades of one interval that is over, summed up; `time` is the start of the interval."""

    symbol: str
    seq: int
    time: float
    interval: str
    open: float
    high: float
    low: float
    close: float
    volume: int
    vwap: float
    trades: int
    merged: int = 0


@dataclass(frozen=True, slots=True)
class Status:
    """A change of trading status, and why, if that is told. `opens`: when the next regular session begins, outside of one."""

    symbol: str
    seq: int
    time: float
    status: str
    reason: str | None
    merged: int = 0
    opens: float | None = field(default=None, repr=False)


Level = tuple[float, int]
"""A price of a book and the shares there; in what has changed, 0 shares: the level is gone."""


@dataclass(frozen=True, slots=True)
class Depth:
    """What has changed of a symbol's book, or, as a `snapshot`, the whole of it, the best level first.

    `seq` is that of the quote which is the best level of both sides. An `OrderBook` puts these together.
    """

    symbol: str
    seq: int
    time: float
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    checksum: int
    snapshot: bool = False
    tick_size: float | None = None
    """Of a snapshot."""
    merged: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a symbol. The next event of a channel is the one after `seq[channel]`.

    `size`, `open`, `high` and `low` are None until the day's first trade; `last` is then the
    previous close. `bid`, `ask` and their sizes are None until there was a quote. `opens` is as in `Status`.
    """

    symbol: str
    time: float
    seq: Mapping[str, int]
    last: float
    size: int | None
    bid: float | None
    bid_size: int | None
    ask: float | None
    ask_size: int | None
    open: float | None
    high: float | None
    low: float | None
    prev_close: float
    volume: int
    status: str
    opens: float | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Gap:
    """Events `first` to `last`, both inclusive, of a symbol and channel did not reach this client.

    `reason` is `reconnect` (they happened while the connection was down), `sequence` (the server
    broke its promise), `out_of_order` (it went backwards: nothing is missing, `last < first`), or a
    word of the server's own.
    """

    symbol: str
    channel: str
    first: int
    last: int
    reason: str

    @property
    def missing(self) -> int:
        """How many events are missing."""
        return max(0, self.last - self.first + 1)


@dataclass(frozen=True, slots=True)
class Hello:
    """What the server says of itself. `epoch` names one run of one market; see the protocol."""

    protocol: int
    server: str
    epoch: str
    seed: int
    symbols: int
    channels: tuple[str, ...]
    intervals: tuple[str, ...]
    heartbeat_ms: float
    auth: bool
    synthetic: bool
    rules: str = field(default="open", repr=False)
    """`us`: the market has the sessions and halts of the US exchanges; `open`: it is always open."""

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> Hello:
        """Read a `hello` object; KeyError or TypeError when it isn't one."""
        return cls(
            item["protocol"],
            item["server"],
            item["epoch"],
            item["seed"],
            item["symbols"],
            tuple(item["channels"]),
            tuple(item.get("intervals", ())),
            item["heartbeat_ms"],
            item.get("auth", False),
            item["synthetic"],
            item.get("rules", "open"),
        )


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection stands (again). `reconnects` is 0 for the first one."""

    hello: Hello
    reconnects: int


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is down, or an attempt to connect failed; the next one is in `retry_in` s."""

    reason: str
    code: int
    retry_in: float


@dataclass(frozen=True, slots=True)
class Instrument:
    """One entry of the list of symbols."""

    symbol: str
    name: str
    sector: str
    tick_size: float
    round_lot: int
    exchange: str | None = None
    """The letter of the exchange that lists it, if that is told."""
    tape: str | None = None
    """`A`, `B` or `C`."""


Event = Trade | Quote | Bar | Status | Depth | Snapshot | Gap | Connected | Disconnected
