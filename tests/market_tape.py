"""A market of a few symbols whose every event is written down, and a reader that is held to it, event by event."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import orjson
from markets import moved_by

from feeds.dialects.native import NativeEncoder
from feeds.fanout.snapshots import gap_object
from ticker.batch import BARS, QUOTES, TRADES, BarTable, TickBatch, channel_name
from ticker.instruments import Instrument
from ticker.reference.marks import marked
from ticker.universe import Universe

__all__ = ["CHANNEL_NUMBERS", "SYMBOLS", "MarketTape", "Reader", "Tick"]

SYMBOLS = 3
UNIVERSE = Universe([Instrument(name, 1_000.0, tick_size=1.0) for name in "ABC"])
NUMBERS = {name: i for i, name in enumerate(UNIVERSE.symbols)}
CHANNEL_NUMBERS = (TRADES, QUOTES, BARS + 1)
KINDS = {"trade": TRADES, "quote": QUOTES, "bar": BARS + 1}

Key = tuple[int, int]


class Tick(NamedTuple):
    symbol: int
    channel: int
    price: int = 1
    size: int = 1
    mark: int = 0
    """Of a trade."""


class MarketTape:
    """All events so far, by symbol and channel; a price is a number of ticks of 1."""

    def __init__(self) -> None:
        self.encoder = NativeEncoder(UNIVERSE)
        self.ticks: defaultdict[Key, list[Tick]] = defaultdict(list)

    def add(self, ticks: Iterable[Tick]) -> TickBatch:
        """Write some down, and give them as the market would."""
        rows, bars = [], []
        for tick in ticks:
            tape = self.ticks[tick.symbol, tick.channel]
            tape.append(tick)
            (bars if tick.channel >= BARS else rows).append((*tick, len(tape)))
        return TickBatch.join([_plain(rows), *map(_bar, bars)])

    def seq(self, symbol: int, channel: int) -> int:
        return len(self.ticks[symbol, channel])

    # As `feeds.fanout.snapshots.Snapshots`.

    def snapshots(self, symbols: Iterable[int], channels: Iterable[int]) -> list[bytes]:
        told = {TRADES, QUOTES, *channels}
        return [
            orjson.dumps(
                {
                    "type": "snapshot",
                    "symbol": UNIVERSE.symbols[s],
                    "seq": {channel_name(c): self.seq(s, c) for c in told},
                }
            )
            for s in symbols
        ]

    def gap(self, symbol: int, channel: int, first: int, last: int) -> bytes:
        return gap_object(UNIVERSE.symbols[symbol], channel, first, last, "slow")


class Reader:
    """
    What one client knows, and what it may conclude: every object is checked against the tape.

    Whatever way it is told of events, each is told of exactly once, and what stands for several trades has their shares
    and extremes.
    """

    def __init__(self, tape: MarketTape) -> None:
        self.tape = tape
        self.last: dict[Key, int] = {}
        """By what it wants, the newest sequence that it knows of."""
        self.merged: defaultdict[Key, int] = defaultdict(int)
        self.skipped: defaultdict[Key, int] = defaultdict(int)
        self._unexplained: set[Key] = set()

    def want(self, wants: set[Key]) -> None:
        self.last = {key: self.last.get(key, self.tape.seq(*key)) for key in wants}

    def feed(self, objects: Iterable[dict[str, Any]]) -> set[Key]:
        """Take the objects of a turn; give what there were events of."""
        seen = set()
        for item in objects:
            symbol = NUMBERS[item["symbol"]]
            if item["type"] == "snapshot":
                self._snapshot(symbol, item)
            elif item["type"] == "gap":
                self._gap(symbol, item)
            else:
                key = symbol, KINDS[item["type"]]
                seen.add(key)
                self._event(key, item)
        assert not self._unexplained, "a snapshot must follow"
        return seen

    def _event(self, key: Key, item: dict[str, Any]) -> None:
        merged = item.get("merged", 0)
        assert merged > 0 or "merged" not in item, "absent where it is nothing"
        assert item["seq"] == self.last[key] + 1 + merged, (key, item, self.last[key])
        told = self.tape.ticks[key][self.last[key] : item["seq"]]
        self.last[key] = item["seq"]
        self.merged[key] += merged
        if key[1] != TRADES:
            return
        assert (item["price"], item["size"]) == (told[-1].price, told[-1].size)
        assert (item.get("exchange"), tuple(item.get("conditions", ()))) == marked(told[-1].mark)
        if not merged:
            assert not {"volume", "open", "high", "low", "close"} & item.keys()
        elif "volume" not in item:
            self._unexplained.add(key)
        else:
            self._sums(told, item)

    def _sums(self, told: list[Tick], item: dict[str, Any]) -> None:
        """What stands for several trades has what each of them moves."""
        moved = [(tick, moved_by(tick.mark)) for tick in told]
        prices, extremes = (
            [tick.price for tick, names in moved if name in names] for name in ("last", "range")
        )
        assert item["volume"] == sum(tick.size for tick, names in moved if "volume" in names)
        assert item["open"] == (prices[0] if prices else None)
        assert item["high"] == max(extremes, default=None)
        assert item["low"] == min(extremes, default=None)
        assert ("close" in item) == any("last" not in names for _, names in moved)
        assert item.get("close", item["price"]) == (prices[-1] if prices else None)

    def _gap(self, symbol: int, item: dict[str, Any]) -> None:
        assert item["reason"] == "slow"
        (channel,) = (c for c in CHANNEL_NUMBERS if channel_name(c) == item["channel"])
        key = symbol, channel
        assert item["from"] == self.last[key] + 1
        assert item["from"] <= item["to"] == self.tape.seq(*key)
        self.skipped[key] += item["to"] - self.last[key]
        self._unexplained.add(key)

    def _snapshot(self, symbol: int, item: dict[str, Any]) -> None:
        for channel in CHANNEL_NUMBERS:
            key, told = (symbol, channel), item["seq"].get(channel_name(channel))
            if told is not None:
                assert told == self.tape.seq(*key)
                self._unexplained.discard(key)
                if key in self.last:
                    self.last[key] = told


def _plain(rows: list[tuple[int, ...]]) -> TickBatch:
    symbol, channel, price, size, mark, seq = np.array(rows, dtype=np.int64).reshape(-1, 6).T
    return TickBatch(
        symbol=symbol.astype(np.int32),
        channel=channel.astype(np.uint8),
        seq=seq,
        time=np.full(len(rows), 1_000_000),
        price=price,
        size=size,
        ask=np.where(channel == TRADES, mark, price + 1),
        ask_size=np.where(channel == TRADES, 0, size),
    )


def _bar(row: tuple[int, ...]) -> TickBatch:
    symbol, channel, price, size, _, seq = row
    one = [np.array([n], dtype=np.int64) for n in (0, price, price, price, price, size)]
    bars = BarTable(np.array([symbol], dtype=np.int32), *one, one[-1] * 1.0, one[-1])
    return TickBatch.of_bars(channel, bars, np.array([seq]), 1_000_000)
