"""
The native protocol's events, as bytes (``PROTOCOL.md``, sections 2 to 4).

Plan for the hot path: a batch is encoded column by column. orjson writes a whole numpy column of numbers in one call;
splitting that text gives each row's number, and one ``join`` puts a row together around its symbol's constant head.
That is several times as fast as one ``orjson.dumps`` of one dict an event. A batch of a few events takes the plain way,
where the columns' fixed cost would be more than the events'. Both give the same bytes (``tests/test_native.py``);
``bench/test_encode.py`` shows what each costs.
"""

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from feeds.dialects import bars_and_status, books
from feeds.dialects.trades import MergedTrades
from ticker.batch import BARS, DEPTH, QUOTES, STATUS, TRADES, BarTable, TickBatch, channel_name
from ticker.bookkeeping.daybook import Snapshot
from ticker.universe import Universe

__all__ = ["NativeEncoder", "message"]

_NUMPY = orjson.OPT_SERIALIZE_NUMPY
_FEW = 12  # up to so many events, the plain way is faster
_RARE = {STATUS: bars_and_status.changes, DEPTH: books.deltas}
_join = b"".join


def message(objects: Sequence[bytes]) -> bytes:
    """Join encoded objects into one message."""
    return b"[" + b",".join(objects) + b"]"


class NativeEncoder:
    """
    Encodes the events of one market. A fragment is an object and a comma, so that fragments can be put together.

    Args:
        universe: the market's instruments.
    """

    def __init__(self, universe: Universe) -> None:
        self._universe = universe
        names = [orjson.dumps(symbol) for symbol in universe.symbols]
        self._trade_heads = [b'{"type":"trade","symbol":%b,"seq":' % name for name in names]
        self._ticks = list(
            zip(universe.tick_numerator.tolist(), universe.tick_denominator.tolist(), strict=True)
        )
        self._quote_heads = [b'{"type":"quote","symbol":%b,"seq":' % name for name in names]

    def encode(self, batch: TickBatch) -> list[bytes]:
        """Encode a batch, one fragment an event, in its order. Linear in events, about half a microsecond each."""
        if len(batch) <= _FEW:
            return self._plainly(batch)
        trade = batch.channel == TRADES
        quote = batch.channel == QUOTES
        trades = self._trades(batch, trade)
        if len(trades) == len(batch):
            return trades
        quotes = self._quotes(batch, quote)
        if len(quotes) == len(batch):
            return quotes
        out = np.empty(len(batch), dtype=object)
        out[trade] = trades
        out[quote] = quotes
        if len(trades) + len(quotes) < len(batch):
            for rows, encode in (
                (batch.channel == DEPTH, books.deltas),
                ((batch.channel >= BARS) & (batch.channel < DEPTH), bars_and_status.bars),
                (batch.channel == STATUS, bars_and_status.changes),
            ):
                out[rows] = encode(self._universe, batch, np.flatnonzero(rows))
        fragments: list[bytes] = out.tolist()
        return fragments

    def with_merged(
        self, fragment: bytes, merged: int, trades: MergedTrades | None = None
    ) -> bytes:
        """Say in a fragment how many earlier events it replaces, and of a trade, what all of them come to."""
        if trades is None:
            return b'%b,"merged":%d},' % (fragment[:-2], merged)
        up, down = self._ticks[trades.symbol]
        prices = {"open": trades.open, "high": trades.high, "low": trades.low}
        if not trades.all:
            prices["close"] = trades.close
        sums: dict[str, Any] = {"merged": merged, "volume": trades.volume}
        sums |= {name: None if p is None else p * up / down for name, p in prices.items()}
        return b"%b,%b," % (fragment[:-2], orjson.dumps(sums)[1:])

    def _trades(self, batch: TickBatch, rows: NDArray[np.bool_]) -> list[bytes]:
        symbol, marks = batch.symbol[rows], batch.ask[rows]
        heads = self._trade_heads
        tails = map(bars_and_status.tail, marks.tolist()) if marks.any() else repeat(b"},")
        columns = zip(
            [heads[i] for i in symbol.tolist()],
            _column(batch.seq[rows]),
            repeat(b',"time":'),
            _column(batch.time[rows] / 1000),
            repeat(b',"price":'),
            _column(self._universe.prices(symbol, batch.price[rows])),
            repeat(b',"size":'),
            _column(batch.size[rows]),
            tails,
        )
        return list(map(_join, columns))

    def _quotes(self, batch: TickBatch, rows: NDArray[np.bool_]) -> list[bytes]:
        symbol = batch.symbol[rows]
        heads = self._quote_heads
        columns = zip(
            [heads[i] for i in symbol.tolist()],
            _column(batch.seq[rows]),
            repeat(b',"time":'),
            _column(batch.time[rows] / 1000),
            repeat(b',"bid":'),
            _column(self._universe.prices(symbol, batch.price[rows])),
            repeat(b',"bid_size":'),
            _column(batch.size[rows]),
            repeat(b',"ask":'),
            _column(self._universe.prices(symbol, batch.ask[rows])),
            repeat(b',"ask_size":'),
            _column(batch.ask_size[rows]),
            repeat(b"},"),
        )
        return list(map(_join, columns))

    def _plainly(self, batch: TickBatch) -> list[bytes]:
        """Encode a batch event by event, with one ``orjson.dumps`` each."""
        fragments = []
        rows = zip(
            batch.symbol.tolist(),
            batch.channel.tolist(),
            batch.seq.tolist(),
            batch.time.tolist(),
            batch.price.tolist(),
            batch.size.tolist(),
            batch.ask.tolist(),
            batch.ask_size.tolist(),
            strict=True,
        )
        for row, (symbol, channel, seq, time, price, size, ask, ask_size) in enumerate(rows):
            name = self._universe.symbols[symbol]
            up, down = self._ticks[symbol]
            if channel == TRADES:
                event = {"type": "trade", "symbol": name, "seq": seq, "time": time / 1000}
                event |= {"price": price * up / down, "size": size}
                if ask:  # its mark
                    fragments.append(orjson.dumps(event)[:-1] + bars_and_status.tail(ask))
                    continue
            elif channel == QUOTES:
                event = {"type": "quote", "symbol": name, "seq": seq, "time": time / 1000}
                event |= {
                    "bid": price * up / down,
                    "bid_size": size,
                    "ask": ask * up / down,
                    "ask_size": ask_size,
                }
            else:
                encode = _RARE.get(channel, bars_and_status.bars)
                fragments += encode(self._universe, batch, np.array([row]))
                continue
            fragments.append(orjson.dumps(event) + b",")
        return fragments

    def bar_objects(self, bars: BarTable) -> list[dict[str, Any]]:
        """Give bars as objects for JSON, without ``type``, ``seq`` and ``interval``."""
        return bars_and_status.bar_objects(self._universe, bars)

    def snapshot(
        self,
        state: Snapshot,
        seq: NDArray[np.int64],
        channels: Iterable[int],
        request_id: str | int | None = None,
    ) -> bytes:
        """
        Encode one symbol's snapshot.

        Args:
            state: the symbol's state.
            seq: its sequences, by channel number.
            channels: the channel numbers whose sequences to tell.
            request_id: the ``id`` of the request, where each snapshot carries it.
        """
        i = state.symbol
        numerator, denominator = self._ticks[i]

        def price(ticks: int | None) -> float | None:
            return None if ticks is None else ticks * numerator / denominator

        head: dict[str, Any] = (
            {"type": "snapshot"} if request_id is None else {"type": "snapshot", "id": request_id}
        )
        told: dict[str, Any] = {} if state.reason is None else {"reason": state.reason}
        if state.opens is not None:
            told["opens"] = state.opens * 1000
        return orjson.dumps(
            head
            | {
                "symbol": self._universe.symbols[i],
                "time": state.time_us / 1000,
                "seq": {channel_name(c): int(seq[c]) for c in channels},
                "last": price(state.last),
                "size": state.size,
                "bid": price(state.bid),
                "bid_size": state.bid_size,
                "ask": price(state.ask),
                "ask_size": state.ask_size,
                "open": price(state.open),
                "high": price(state.high),
                "low": price(state.low),
                "prev_close": price(state.prev_close),
                "volume": state.volume,
                "status": state.status,
            }
            | told
        )


def _column(values: NDArray[Any]) -> list[bytes]:
    # An empty array is "[]": no number, where split would give one empty one.
    if not len(values):
        return []
    return orjson.dumps(np.ascontiguousarray(values), option=_NUMPY)[1:-1].split(b",")
